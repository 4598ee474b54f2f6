"""The Web-versus-API comparison: the same questions through the API and through Streamlit pages.

    locust -f locustfiles/web_vs_api.py --headless --glm-api http://127.0.0.1:8080 \
        --glm-web http://127.0.0.1:8501 --glm-repeats 10 --glm-levels 1,4

By default one path is asked at a time, and the run ends when all is asked. With `--run-time` and no
`--glm-repeats` it goes on until then; with `-u` and no `--glm-levels`, that is the number of users
who ask. `--glm-web-jupyter`, `--glm-scenario FILE` and more: see `locust -f ... --help`. Works with
`--master`, `--worker` and in the dashboard. The run, with a report, is in runs/.
"""

from glm_locust.comparison import ComparisonUser, install

install()


class Visitor(ComparisonUser):
    """Takes a question from the plan, asks it on the path that the plan names, takes the next."""
