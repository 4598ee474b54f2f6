"""Scenarios: what TOML and command line say arrives, and every mistake is one line."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_locust.config import (
    OPTIONS,
    ApiTarget,
    Deadlines,
    Scenario,
    Secret,
    WebTarget,
    WidgetChoice,
    load_scenario,
)
from glm_locust.errors import ConfigError
from glm_locust.records import Phase
from glm_locust.workload import TASKS

REFERENCE = Path(__file__).parents[2] / "configs" / "scenarios" / "glm-4.6v-flash-web.toml"

FULL = """
tasks = ["ocr", "chart"]
repeats = 3
levels = [1, 4]
warmup = 0
prompt_lang = "zh"
seed = 42
repeat_share = 0.25
image_size = 256
image_format = "jpeg"
design = "mixed"
web_share = 0.75
think_time = 1.5
out = "results"
header = ["X-Team: blue", "X-Long: a: b"]
timeout = 90
exporter = ["http://gpu-1:9836", "http://gpu-2:9836"]
metrics = "http://gpu-1:8000/metrics"
samples_auth_env = "SAMPLES"
samples_ca = "samples.pem"
junit = "junit.xml"
lang = "zh"

[slo]
objectives = ["ttft p95 < 2 s", "web: failures < 1 %"]

[api]
url = "https://model.example:8443/v1"
model = "glm-4.6v-flash"
api_key_env = "MODEL_KEY"
max_tokens = 64
ca = "ca.pem"
http_client = "httpx"
think_tags = false
headers = { X-Team = "red" }
deadlines = { connect_s = 2, first_output_s = 30.5 }
extra_body = { temperature = 0, chat_template_kwargs = { enable_thinking = false } }

[web]
url = "http://page.example:8501"
page = "chat"
prompt_widget = { label = "Question", index = 1 }
upload_widget = { kind = "file_uploader" }
submit_widget = { key = "go" }
cookies = { session-id = { env = "SESSION" }, _auth = { file = "auth.txt" } }

[web-jupyter]
url = "http://page.example:8888/user/x/proxy/8501/"
jupyter_token_file = "token.txt"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "my.toml"
    path.write_text(text)
    return path


def test_every_key_arrives(tmp_path):
    scenario = load_scenario(written(tmp_path, FULL))
    patience = Deadlines(total_s=90)
    assert scenario == Scenario(
        api=ApiTarget(
            url="https://model.example:8443/v1",
            model="glm-4.6v-flash",
            api_key=Secret(env="MODEL_KEY"),
            headers={"X-Team": "red", "X-Long": "a: b"},
            max_tokens=64,
            ca=str(tmp_path / "ca.pem"),
            http_client="httpx",
            think_tags=False,
            extra_body={"temperature": 0, "chat_template_kwargs": {"enable_thinking": False}},
            deadlines=Deadlines(connect_s=2, first_output_s=30.5, total_s=90),
        ),
        web=WebTarget(
            url="http://page.example:8501",
            cookies={"session-id": Secret(env="SESSION"), "_auth": Secret(file=str(tmp_path / "auth.txt"))},
            headers={"X-Team": "blue", "X-Long": "a: b"},
            page="chat",
            prompt_widget=WidgetChoice(label="Question", index=1),
            upload_widget=WidgetChoice(kind="file_uploader"),
            submit_widget=WidgetChoice(key="go"),
            deadlines=patience,
        ),
        web_jupyter=WebTarget(
            url="http://page.example:8888/user/x/proxy/8501/",
            jupyter_token=Secret(file=str(tmp_path / "token.txt")),
            headers={"X-Team": "blue", "X-Long": "a: b"},
            deadlines=patience,
        ),
        tasks=("ocr", "chart"),
        repeats=3,
        levels=(1, 4),
        warmup=0,
        prompt_lang="zh",
        seed=42,
        repeat_share=0.25,
        image_size=256,
        image_format="jpeg",
        design="mixed",
        web_share=0.75,
        think_time=1.5,
        out="results",
        exporter=("http://gpu-1:9836", "http://gpu-2:9836"),
        metrics=("http://gpu-1:8000/metrics",),
        samples_auth_env="SAMPLES",
        samples_ca=str(tmp_path / "samples.pem"),
        slo=("ttft p95 < 2 s", "web: failures < 1 %"),
        junit="junit.xml",
        lang="zh",
    )
    assert scenario.paths == ("api", "web", "web-jupyter")


def test_the_reference_deployment_needs_a_host_and_nothing_else():
    scenario = load_scenario(REFERENCE)
    assert scenario.tasks == tuple(TASKS)
    assert scenario.paths == ("api", "web-jupyter")
    assert scenario.api == ApiTarget("http://HOST:8080")
    assert scenario.web_jupyter == WebTarget("http://HOST:8888/proxy/8501/", Secret(env="JUPYTER_TOKEN"))
    assert (scenario.repeats, scenario.levels, scenario.prompt_lang) == (10, (1,), "zh")
    text = REFERENCE.read_text()
    assert text.count("//HOST:") == 3  # one of them commented out


def test_objectives_stand_in_a_list_or_in_a_table(tmp_path):
    for text in (
        "slo = 'failures < 1 %'",
        "slo = ['failures < 1 %']",
        "[slo]\nobjectives = ['failures < 1 %']",
    ):
        assert load_scenario(written(tmp_path, text)).slo == ("failures < 1 %",)


def test_objectives_are_no_part_of_the_workload(tmp_path):
    judged = load_scenario(written(tmp_path, "seed = 1\njunit = 'j.xml'\nslo = 'failures < 1 %'"))
    assert judged.to_workload_dict() == Scenario(seed=1).to_workload_dict()


def test_a_bare_url_is_a_target(tmp_path):
    scenario = load_scenario(written(tmp_path, 'api = "http://h:1"\nweb-jupyter = "http://h:2/proxy/3/"'))
    assert scenario.api == ApiTarget("http://h:1")
    assert scenario.web_jupyter == WebTarget("http://h:2/proxy/3/")


BAD = [
    ("repeats = 'ten'", 'repeats: expected a whole number of at least 1, got "ten"'),
    ("repeats = '10'", 'repeats: expected a whole number of at least 1, got "10"'),
    ("repeats = 0", "repeats: expected a whole number of at least 1, got 0"),
    ("repeats = 2.5", "repeats: expected a whole number of at least 1, got 2.5"),
    ("repeats = true", "repeats: expected a whole number of at least 1, got true"),
    ("repeat = 3", "repeat: unknown key, did you mean repeats?"),
    ("qqqqqq = 3", "qqqqqq: unknown key"),
    ("levels = 4", "levels: expected different whole numbers of at least 1, like [1, 2, 4], got 4"),
    ("levels = []", "levels: expected different whole numbers of at least 1, like [1, 2, 4], got []"),
    ("levels = [1, 1]", "levels: expected different whole numbers of at least 1, like [1, 2, 4], got [1, 1]"),
    (
        "levels = [1, 'x']",
        'levels: expected different whole numbers of at least 1, like [1, 2, 4], got [1, "x"]',
    ),
    ("tasks = 'ocr'", 'tasks: expected different words, like ["ocr", "chart"], got "ocr"'),
    ("tasks = ['ocr', 3]", 'tasks: expected different words, like ["ocr", "chart"], got ["ocr", 3]'),
    (
        "tasks = ['ocr', 'chat']",
        'tasks: expected some of describe, ocr, chart, compare, reason, got ["ocr", "chat"], '
        "did you mean chart?",
    ),
    ("prompt_lang = 'bth'", 'prompt_lang: expected zh, en or both, got "bth", did you mean both?'),
    ("seed = -1", "seed: expected a whole number of at least 0, got -1"),
    ("repeat_share = 2", "repeat_share: expected a number from 0 to 1, got 2"),
    ("repeat_share = nan", "repeat_share: expected a number from 0 to 1, got NaN"),
    ("web_share = 0", "web_share: expected a number between 0 and 1, both excluded, got 0"),
    ("think_time = -1", "think_time: expected a number of seconds, 0 or more, got -1"),
    ("timeout = 0", "timeout: expected a number of seconds above 0, got 0"),
    ("image_size = 9000", "image_size: expected 128 to 4096 pixels, got 9000"),
    ("image_format = 'webp'", 'image_format: expected png or jpeg, got "webp"'),
    ("design = 'block'", 'design: expected blocks or mixed, got "block", did you mean blocks?'),
    ("lang = 'cn'", 'lang: expected en or zh, got "cn"'),
    ("slo = 1", "slo: expected a text or a list of texts"),
    ("slo = []", "slo: expected a text or a list of texts"),
    ("slo = ['ttft p95 < 2']", f"slo: expected a unit: s, ms, us or min\n  ttft p95 < 2\n{' ' * 15}^"),
    ("[slo]\nobjective = []", "slo.objective: unknown key, did you mean objectives?"),
    ("dataset = ''", 'dataset: expected a text, got ""'),
    ("api = 8080", "api: expected a URL or a table with a url"),
    ("api = 'host:8080'", 'api: expected a URL like http://host:8080, got "host:8080"'),
    ("api = 'ftp://host'", 'api: expected a URL like http://host:8080, got "ftp://host"'),
    ("api = 'http://host:99999'", "api: expected a URL like http://host:8080"),
    ("api = 'http://me:pw@host'", "api: expected a URL without user name and password"),
    (
        "web = 'http://h/?token=abc'",
        "web: expected a URL without a token; name a variable that holds it instead",
    ),
    ("web = 'http://h/?a=1'", "web: expected a URL without white space, '?' and '#'"),
    ("[api]\nmodel = 'm'", "api.url: expected a URL like http://host:8080"),
    ("[api]\nurl = 'http://h'\nurk = 1", "api.urk: unknown key, did you mean url?"),
    ("[api]\nurl = 'http://h'\nthink_tags = 1", "api.think_tags: expected true or false, got 1"),
    ("[api]\nurl = 'http://h'\nextra_body = 1", "api.extra_body: expected a table"),
    (
        "[api]\nurl = 'http://h'\nextra_body = { day = 2024-01-01 }",
        "api.extra_body: expected a table of what JSON can say",
    ),
    (
        "[api]\nurl = 'http://h'\ndeadlines = { total = 3 }",
        "api.deadlines.total: unknown key, did you mean total_s?",
    ),
    (
        "[web]\nurl = 'http://h'\nprompt_widget = { index = -1 }",
        "web.prompt_widget.index: expected a whole number of at least 0, got -1",
    ),
    ("[web]\nurl = 'http://h'\nprompt_widget = 'Question'", "web.prompt_widget: expected a table"),
    ("model = 'm'", "model: expected api to be given as well"),
    (
        "web = 'http://h'\njupyter_token_env = 'T'",
        "jupyter_token_env: expected web_jupyter to be given as well",
    ),
    ("timeout = 3", "timeout: expected api, web or web_jupyter to be given as well"),
    ("header = 'no colon'\napi = 'http://h'", "header: expected texts like 'Name: value'"),
    ("header = ['a b: c']\napi = 'http://h'", "header: expected a header name, got 'a b'"),
    ("[api]\nurl = 'http://h'\nheaders = { A = 1 }", "api.headers: expected a table of texts"),
    (
        "[web_jupyter]\nurl = 'http://h'\n[web-jupyter]\n",
        "web-jupyter: the same as web_jupyter, which is there already",
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_a_mistake_is_one_line_with_file_key_and_what_was_expected(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_scenario(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    "text",
    [
        "[api]\nurl = 'http://h'\napi_key = 'SECRET'",
        "api_key = 'SECRET'",
        "[web-jupyter]\nurl = 'http://h'\njupyter_token = 'SECRET'",
        "[web-jupyter]\nurl = 'http://h'\ntoken = 'SECRET'",
        "[api]\nurl = 'http://h'\napi_key_env = 'sk-SECRET'",
        "[api]\nurl = 'http://h'\nheaders = { Authorization = 'Bearer SECRET' }",
        "api = 'http://h'\nheader = ['X-Api-Key: SECRET']",
        "api = 'http://h'\nheader = ['Cookie: SECRET']",
        "api = 'http://me:SECRET@h'",
        "api = 'http:/me:SECRET@h'",
        "web = 'http://h/?token=SECRET'",
        "exporter = 'http://me:SECRET@h'",
        "metrics = ['http://h', 'http://me:SECRET@h']",
        "exporter = 'http://h'\nsamples_auth_env = 'me:SECRET'",
        "[web]\nurl = 'http://h'\ncookies = { session = 'SECRET' }",
        "[web]\nurl = 'http://h'\ncookies = { session = { value = 'SECRET' } }",
    ],
)
def test_a_secret_that_stands_as_a_value_is_refused_and_not_shown(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        load_scenario(written(tmp_path, text))
    assert "SECRET" not in str(caught.value)


def test_two_places_for_one_secret_are_a_mistake(tmp_path):
    path = written(tmp_path, "api = 'http://h'\napi_key_env = 'A'\napi_key_file = 'b'")
    with pytest.raises(ConfigError, match="api_key_env: expected only one of api_key_env and api_key_file"):
        load_scenario(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"repeats = = 3", "not valid TOML: Invalid value (at line 1, column 11)"),
        (b"out = '\xff'", "expected UTF-8 text"),
    ],
)
def test_a_file_that_is_no_toml_is_named(tmp_path, data, message):
    path = tmp_path / "x.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load_scenario(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"x\.toml: cannot read the scenario: No such file or directory"):
        load_scenario(tmp_path / "x.toml")


def test_a_command_line_wins_and_leaves_the_rest(tmp_path):
    scenario = load_scenario(written(tmp_path, FULL))
    typed = {
        "api": "http://other:1",
        "levels": "2, 8",
        "tasks": "reason",
        "repeats": "7",
        "think_time": "0",
        "prompt-lang": "en",
        "header": ["X-Team: green"],
        "timeout": "12.5",
        "api_key_file": "key.txt",
        "jupyter_token_env": "TOKEN",
        "model": None,
    }
    merged = scenario.merge(typed)
    assert (merged.levels, merged.tasks, merged.repeats) == ((2, 8), ("reason",), 7)
    assert (merged.think_time, merged.prompt_lang) == (0.0, "en")
    assert (merged.seed, merged.out, merged.design) == (42, "results", "mixed")
    assert merged.api.url == "http://other:1"
    assert (merged.api.model, merged.api.api_key) == ("glm-4.6v-flash", Secret(file="key.txt"))
    assert merged.api.headers == {"X-Team": "green", "X-Long": "a: b"}
    assert merged.api.deadlines == Deadlines(connect_s=2, first_output_s=30.5, total_s=12.5)
    assert merged.web.url == scenario.web.url
    assert merged.web.deadlines.total_s == 12.5
    assert merged.web_jupyter.jupyter_token == Secret(env="TOKEN")
    assert scenario.merge({}) == scenario


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"repeats": "ten"}, '--repeats: expected a whole number of at least 1, got "ten"'),
        (
            {"levels": "1,,2"},
            '--levels: expected different whole numbers of at least 1, like 1,2,4, got "1,,2"',
        ),
        ({"exporter": ["gpu-1"]}, '--exporter: expected a URL like http://host:8080, got ["gpu-1"]'),
        (
            {"exporter": ["http://g", "http://g"]},
            '--exporter: expected different URLs, got ["http://g", "http://g"]',
        ),
        ({"prompt_lang": "fr"}, '--prompt-lang: expected zh, en or both, got "fr"'),
        ({"web_jupyter": "jupyter"}, '--web-jupyter: expected a URL like http://host:8080, got "jupyter"'),
        ({"web_share": "half"}, '--web-share: expected a number between 0 and 1, both excluded, got "half"'),
        ({"repeats": "9" * 30}, f'--repeats: expected a whole number of at least 1, got "{"9" * 30}"'),
        (
            {"tasks": "orc"},
            '--tasks: expected some of describe, ocr, chart, compare, reason, got "orc", did you mean ocr?',
        ),
        ({"api_key_env": "X"}, "--api-key-env: expected api to be given as well"),
        ({"colour": "red"}, "--colour: unknown key"),
    ],
)
def test_a_mistake_on_a_command_line_names_its_word(typed, message):
    with pytest.raises(ConfigError) as caught:
        Scenario().merge(typed)
    assert str(caught.value) == message


def test_the_prefix_of_the_plugin_is_kept():
    with pytest.raises(ConfigError, match=r"^--glm-think-time: expected"):
        Scenario().merge({"think_time": "x"}, prefix="--glm-")


def test_tasks_of_a_data_set_may_have_any_name(tmp_path):
    scenario = load_scenario(written(tmp_path, "dataset = 'my.jsonl'\ntasks = ['invoices']"))
    assert scenario.dataset == str(tmp_path / "my.jsonl")
    assert scenario.chosen_tasks(["labels", "invoices"]) == ("invoices",)
    with pytest.raises(ConfigError, match="tasks: expected some of labels, got 'invoices'"):
        scenario.chosen_tasks(["labels"])
    # Without the data set these are mistakes, wherever they came from.
    with pytest.raises(ConfigError, match="--tasks: expected some of describe"):
        Scenario().merge({"tasks": "invoices"})


def test_options_are_the_keys_of_a_scenario():
    words = {option.key for option in OPTIONS}
    assert {field.name for field in fields(Scenario)} <= words
    values = {option.key: ["X: y"] if option.repeatable else "1" for option in OPTIONS}
    values |= dict.fromkeys(("api", "web", "web_jupyter"), "http://h") | {"tasks": "ocr", "prompt_lang": "zh"}
    values |= {"design": "mixed", "image_format": "png", "image_size": "512", "web_share": "0.5"}
    values |= {"exporter": ["http://e:9836"], "metrics": ["http://h/metrics"], "samples_auth_env": "C"}
    values |= {
        "samples_auth_file": None,
        "prometheus": ":1",
        "prometheus_auth_env": "D",
        "prometheus_auth_file": None,
        "slo": ["failures < 1 %"],
        "lang": "zh",
        "no_think_tags": True,
        "api_key_env": "A",
        "api_key_file": None,
        "jupyter_token_env": "B",
        "jupyter_token_file": None,
        "arrivals": "poisson:1/s",
        "levels": None,
        "think_time": None,
    }
    assert Scenario().merge(values).api.api_key == Secret(env="A")


def test_an_open_loop(tmp_path):
    scenario = load_scenario(written(tmp_path, "arrivals = 'gamma:2/s,cv=2'\nmax_in_flight = 7"))
    assert (scenario.arrivals, scenario.max_in_flight, scenario.users) == ("gamma:2/s,cv=2", 7, 7)
    assert scenario.to_workload_dict()["arrivals"] == "gamma:2/s,cv=2"
    assert "arrivals" not in Scenario().to_workload_dict()
    assert Scenario(arrivals="poisson:1/s").users == 100
    trace = load_scenario(written(tmp_path, "arrivals = 'trace:azure.csv,speed=2'"))
    assert trace.arrivals == f"trace:{tmp_path / 'azure.csv'},speed=2"
    assert trace.to_workload_dict()["arrivals"] == "trace:azure.csv,speed=2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arrivals = 'posson:1/s'", "arrivals: expected arrivals like .* did you mean poisson?"),
        ("arrivals = 'poisson:1/s'\nlevels = [1]", "levels: expected no levels beside arrivals"),
        ("arrivals = 'poisson:1/s'\nthink_time = 1", "think_time: expected no think_time beside arrivals"),
        ("max_in_flight = 4", "max_in_flight: expected arrivals to be given as well"),
        (
            "arrivals = 'poisson:1/s'\nmax_in_flight = 0",
            "max_in_flight: expected a whole number of at least 1",
        ),
    ],
)
def test_what_an_open_loop_cannot_have(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        load_scenario(written(tmp_path, text))


def test_the_plan_of_an_open_loop():
    scenario = Scenario(
        api=ApiTarget("http://h"), web=WebTarget("http://p"), repeats=40, arrivals="constant:1/s", seed=3
    )
    blocks = scenario.plan(["ocr", "chart"])
    warm, open_blocks = blocks[:2], blocks[2:]
    assert {block.draw for block in warm} == {None}
    assert [len(block.tickets) for block in open_blocks] == [40, 40, 40, 40], "about 30 s, but not too many"
    assert [block.draw for block in open_blocks] == ["3/0", "3/0", "3/1", "3/1"]
    for first, second in (open_blocks[:2], open_blocks[2:]):
        assert [t.task for t in first.tickets] == [t.task for t in second.tickets]
        assert {first.paths, second.paths} == {("api",), ("web",)}
    assert len({ticket.index for block in blocks for ticket in block.tickets}) == 162
    with pytest.raises(ConfigError, match="a trace is replayed on one path at a time"):
        replace(scenario, arrivals="trace:x.csv", design="mixed").plan(["ocr"], ("ocr",))


def test_think_tags_are_split_unless_told_otherwise():
    urls = {"api": "http://h"}
    assert Scenario().merge(urls).api.think_tags
    assert not Scenario().merge(urls | {"no_think_tags": True}).api.think_tags
    with pytest.raises(ConfigError, match="--no-think-tags: expected api to be given as well"):
        Scenario().merge({"no_think_tags": True})


def test_a_scenario_survives_the_way_to_a_worker(tmp_path):
    scenario = load_scenario(written(tmp_path, FULL))
    message = json.loads(json.dumps(scenario.to_message()))
    assert Scenario.from_message(message) == scenario
    assert Scenario.from_message(json.loads(json.dumps(Scenario().to_message()))).seed >= 0
    with pytest.raises(ConfigError, match="not a scenario: "):
        Scenario.from_message(message | {"repeats": "x"})


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=5, unique=True),
    st.sets(st.sampled_from(sorted(TASKS)), min_size=1).map(sorted),
    st.integers(0, 2**63 - 1),
    st.floats(0, 1),
)
def test_text_and_values_merge_alike(levels, tasks, seed, share):
    values = {"levels": levels, "tasks": tasks, "seed": seed, "repeat_share": share}
    texts = {
        "levels": ",".join(map(str, levels)),
        "tasks": ",".join(tasks),
        "seed": str(seed),
        "repeat_share": repr(share),
    }
    merged = Scenario().merge(texts)
    assert merged == Scenario().merge(values)
    assert Scenario.from_message(json.loads(json.dumps(merged.to_message()))) == merged


def test_what_the_run_header_tells_names_no_secret(tmp_path):
    scenario = load_scenario(written(tmp_path, FULL))
    told = json.dumps([scenario.to_workload_dict(), scenario.to_targets_dict()])
    for secret in ("MODEL_KEY", "SESSION", "SAMPLES", "token.txt", "red", "blue"):
        assert secret not in told
    assert scenario.to_workload_dict()["levels"] == [1, 4]
    assert scenario.to_workload_dict()["paths"] == ["api", "web", "web-jupyter"]
    assert scenario.to_targets_dict()["api"]["model"] == "glm-4.6v-flash"


def test_plan_and_workload_follow_the_scenario():
    scenario = Scenario().merge(
        {
            "api": "http://a",
            "web": "http://b",
            "levels": "1,2",
            "repeats": "4",
            "prompt_lang": "en",
            "seed": "5",
        }
    )
    workload = scenario.workload()
    assert (workload.seed, workload.languages, workload.size) == (5, ("en",), 512)
    tickets = [ticket for block in scenario.plan(workload.tasks) for ticket in block.tickets]
    assert sum(ticket.phase is Phase.MEASURE for ticket in tickets) == 2 * 2 * 5 * 4
    endless = scenario.endless_plan(workload.tasks)
    assert [next(endless).phase for _ in range(3)] == [Phase.WARMUP, Phase.WARMUP, Phase.MEASURE]


def test_without_a_target_there_is_nothing_to_plan():
    with pytest.raises(ConfigError, match="paths: expected at least one"):
        Scenario().plan(list(TASKS))


def test_each_scenario_without_a_seed_draws_its_own():
    assert Scenario().seed != Scenario().seed
