"""What arrays of all datapaths do beside their PEs, and features that accumulators of several have in common."""

from hwsim.datapath import Event

OFFSETS = ("lane_toggles", "lane_sum_toggles", "group_sum_toggles", "offset_toggles")
"""Features of applying offsets (`hwsim.switching.accumulation`)."""
TURNS = ("accumulator_toggles", "chosen_toggles", "turn_toggles", "turn_scale_toggles", "scale_toggles")
"""Features of adding to sums that take turns (`hwsim.switching.turns`)."""
ACCUMULATION = (
    "addend_toggles", "addend_magnitude_toggles", "opposite_signs", "accumulator_toggles", "scale_toggles",
    *OFFSETS,
)  # fmt: skip
"""Features of accumulating (`hwsim.switching.accumulation`)."""

SHARED_EVENTS = (
    Event(
        component="operand_register", action="clock",
        features=("activation_register_toggles", "weight_register_toggles", "hold_toggles"),
    ),
    Event(
        component="requantizer", action="requantize",
        features=(
            "magnitude_toggles", "biased_toggles", "multiplier_toggles", "multiplied_toggles", "rescaled_toggles",
        ),
    ),
    Event(component="weight_register", action="load", features=("load_toggles",)),
    Event(
        component="column", action="add",
        features=("partial_toggles", "scaled_toggles", "total_toggles", "slice_scale_toggles"),
    ),
    Event(component="column", action="scale"),
    Event(component="column", action="clock"),
    Event(component="accumulator_buffer", action="read"),
    Event(component="accumulator_buffer", action="write"),
)  # fmt: skip
"""What every integer array does beside its PEs; the last of a datapath's events."""
