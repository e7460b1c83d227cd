"""Becomes what a systemd unit's ExecStart= says, with its user, folders and system-call filter, where no systemd runs.

The one argument is JSON: {"command": [...], "user": "...", "groups": [...], "umask": "0077", "filter": ["@set", "~name"],
"environment": {...}, "writable": [...]}. Needs root, a mount namespace of its own, systemd-analyze and python3-seccomp.
"""

import ctypes
import grp
import json
import os
import pwd
import subprocess
import sys

import seccomp

PR_CAPBSET_DROP = 24
LAST_CAPABILITY = 40


def members(name, seen):
    """The calls of a set, and those of the sets in it."""
    if not name.startswith("@"):
        return {name}
    if name in seen:
        return set()
    seen.add(name)
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    words = [line.strip() for line in text.splitlines()[1:]]
    return set().union(*[members(word, seen) for word in words if word and not word.startswith("#")])


def allowed(entries):
    calls = set()
    for entry in entries:
        if entry.startswith("~"):
            calls -= members(entry[1:], set())
        else:
            calls |= members(entry, set())
    return calls


def load(names):
    """With an errno and not a kill, as the unit has it; no_new_privs comes with it."""
    calls = seccomp.SyscallFilter(defaction=seccomp.ERRNO(1))
    known = 0
    for name in names:
        try:
            calls.add_rule(seccomp.ALLOW, name)
            known += 1
        except (RuntimeError, ValueError, OSError):
            # A call of another machine.
            continue
    if known < 100:
        sys.exit(f"only {known} system calls are known here")
    calls.load()


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def protect(writable):
    """ProtectSystem=strict and PrivateTmp=yes."""
    for path in ["/tmp", "/var/tmp"]:
        mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", path)
    for path in writable:
        mount("--bind", path, path)
    mount("-o", "remount,bind,ro", "/")


def main():
    unit = json.loads(sys.argv[1])
    user = pwd.getpwnam(unit["user"])
    groups = [grp.getgrnam(name).gr_gid for name in unit["groups"]]
    # Asked for while everything may still be done.
    calls = sorted(allowed(unit["filter"]))
    protect(unit["writable"])
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for capability in range(LAST_CAPABILITY + 1):
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups(groups)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.umask(int(unit["umask"], 8))
    os.chdir("/")
    load(calls)
    os.execve(unit["command"][0], unit["command"], unit["environment"])


main()
