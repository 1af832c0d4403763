"""Node packages for the tests, installed from their lock file when they are not yet there."""
import subprocess


def install(folder):
    """`npm ci` in a folder with package.json and package-lock.json, once for each lock file."""
    mark, lock = folder / "node_modules" / ".installed", folder / "package-lock.json"
    wanted = lock.read_text()
    if mark.exists() and mark.read_text() == wanted:
        return
    done = subprocess.run(["npm", "ci", "--omit=optional", "--no-audit", "--no-fund",
                           "--ignore-scripts"], cwd=folder, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    mark.write_text(wanted)
