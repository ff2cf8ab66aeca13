import pytest
import yaml

from hwsim import Array, BitSerial, Design, Dram, HwsimError, Mac, Override, Sram
from hwsim.datapaths import available
from hwsim.errors import DesignError
from hwsim.labels import label

DESIGNS = [
    Design(),
    Design(datapath=BitSerial(scheme="twos_complement", skip="zero", lanes=4), array=Array(rows=3, cols=5)),
    Design(dram=Dram(type="HBM2", bandwidth_gb_s=256), clock_mhz=1000, overlap="layer"),
    Design(overrides=(Override(layers="conv*", datapath=Mac(lanes=2)), Override(layers="fc", array=Array(rows=1)))),
]


@pytest.mark.parametrize("design", DESIGNS, ids=lambda d: d.hash)
def test_a_design_round_trips_through_yaml(design, tmp_path):
    design.save(tmp_path / "design.yaml")
    loaded = Design.load(tmp_path / "design.yaml")
    assert loaded == design
    assert loaded.hash == design.hash


@pytest.mark.parametrize("text", ["1e3", "1.0e3", "1000", "1E+3", "1000.0"])
def test_numbers_may_be_written_with_an_exponent(text, tmp_path):
    (tmp_path / "design.yaml").write_text(f"clock_mhz: {text}\n")
    assert Design.load(tmp_path / "design.yaml").clock_mhz == 1000.0


def test_equal_designs_hash_alike_however_written():
    assert Design.from_plain({"clock_mhz": 500, "array": {"rows": 16}}).hash == Design(clock_mhz=500.0).hash
    assert len({design.hash for design in DESIGNS}) == len(DESIGNS)


def test_labels_tell_technologies_apart():
    designs = [Design(technology=name) for name in ("nangate45", "sky130hd", "asap7")]
    assert len({label(design) for design in designs}) == 3
    assert "nangate45" not in label(Design())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arrays: {}", "unknown key 'arrays'; did you mean 'array'"),
        ("array: {row: 4}", "unknown key 'array.row'; did you mean 'rows'"),
        ("array: {rows: 0}", "Array.rows = 0: accepted are 1 to 1024"),
        ("array: {rows: 4.5}", "array.rows: expected int, got 4.5"),
        ("array: {rows: true}", "array.rows: expected int, got True"),
        ("array: 3", "array: expected a mapping"),
        ("datapath: {name: mack}", "unknown datapath 'mack'; did you mean 'mac'"),
        ("datapath: {lanes: 3}", "expected a mapping with a 'name'"),
        ("datapath: {name: bit_serial, skip: some}", "'some' is not one of 'none', 'zero'"),
        ("overlap: never", "'never' is not one of 'tile', 'layer'"),
        ("clock_mhz: -1", "Design.clock_mhz = -1.0"),
        ("clock_mhz: .nan", "Design.clock_mhz = nan"),
        ("[1, 2]", "expected a mapping"),
        ("a: [", "is not valid YAML"),
        ("!!python/object/apply:os.system ['true']", "is not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key(text, message, tmp_path):
    file = tmp_path / "design.yaml"
    file.write_text(text)
    with pytest.raises(DesignError) as error:
        Design.load(file)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(HwsimError, match=r"nowhere\.yaml"):
        Design.load(tmp_path / "nowhere.yaml")


def test_python_arguments_are_checked_like_files():
    with pytest.raises(DesignError, match="lanes"):
        Mac(lanes=0)
    with pytest.raises(DesignError, match="scheme"):
        BitSerial(scheme="radix8")
    with pytest.raises(DesignError, match="kib"):
        Sram(kib=0)


def test_the_first_matching_override_counts():
    design = DESIGNS[-1]
    assert design.layer("conv1").datapath == Mac(lanes=2)
    assert design.layer("fc").array == Array(rows=1)
    assert design.layer("other") == design


def test_datapaths_are_found_by_being_there():
    assert {"mac", "bit_serial"} <= set(available())


def test_every_default_is_written_out():
    plain = yaml.safe_load(yaml.safe_dump(Design().to_plain()))
    assert plain["datapath"]["name"] == "mac"
    assert Design.from_plain(plain) == Design()
