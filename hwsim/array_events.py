"""What arrays of all datapaths do beside their PEs, and features that accumulators of several have in common."""

from hwsim.datapath import Event

OFFSETS = ("lane_toggles", "lane_sum_toggles", "group_sum_toggles", "offset_toggles")
"""Features of applying offsets (`hwsim.switching.accumulation`)."""
TURNS = ("accumulator_toggles", "chosen_toggles", "turn_toggles", "turn_scale_toggles", "scale_toggles")
"""Features of adding to sums that take turns (`hwsim.switching.turns`)."""
ACCUMULATION = (
    "addend_toggles", "addend_magnitude_toggles", "opposite_signs", "accumulator_toggles", "scale_toggles",
    "group_scale_toggles", "scaled_toggles", "total_toggles", *OFFSETS,
)  # fmt: skip
"""Features of accumulating (`hwsim.switching.accumulation`)."""

SHARED_EVENTS = (
    Event(
        component="operand_register", action="clock",
        features=(
            "activation_register_toggles", "weight_register_toggles", "hold_set_bits", "hold_unset_bits",
        ),
    ),
    Event(
        component="requantizer", action="requantize",
        features=(
            "biased_toggles", "bias_toggles", "multiplier_toggles", "multiplier_row_toggles", "rescaled_toggles",
            "rescaled_magnitude_toggles",
        ),
    ),
    Event(component="weight_register", action="load", features=("load_toggles", "bank_toggles", "swap_toggles")),
    Event(
        component="column", action="add",
        features=(
            "address_toggles", "partial_toggles", "partial_magnitude_toggles", "slice_product_toggles",
            "earlier_toggles", "total_toggles",
        ),
    ),
    Event(component="column", action="scale"),
    Event(component="column", action="clock"),
    Event(component="accumulator_buffer", action="read"),
    Event(component="accumulator_buffer", action="write"),
)  # fmt: skip
"""What every integer array does beside its PEs; the last of a datapath's events."""
