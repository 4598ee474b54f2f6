"""Names of a path and of tasks that try to be markup."""

PATH = "<img src=x onerror=alert(1)>"
TASKS = ("</script><script>alert(2)</script>", '"><b onmouseover=alert(3)>bold</b>')
