"""What ``make explore`` runs."""

from hwsim import Design, digits, explore


def test_every_shipped_network_has_an_accuracy_beside_its_points(tmp_path):
    frame = explore.explore([digits.load(name) for name in digits.networks()], [Design()], tmp_path)
    assert set(frame["workload"]) == set(digits.networks())
    assert {"report.html", "results.parquet", "energy.json"} <= {file.name for file in tmp_path.iterdir()}


def test_the_sweep_is_large_enough():
    assert len(explore.designs()) >= 200
