"""A policy in Python: holds an instance S seconds, and has one ready again when the last pause between requests is nearly over.

    funcscaler simulate --preset sparse --policy-command "again-py=python3 again.py" --policy again-py:5,ttl:60

It is my-policy/AgainPolicy.cs in another language. docs/reference/policy-programs.md has the protocol: a line in, a line out.
"""
import json
import sys

hold_us = 5_000_000
last_us = {}  # by pool
pause_us = {}


def begin(call):
    global hold_us
    if call["option"]:
        hold_us = int(float(call["option"]) * 1e6)
    return {"protocol": 1, "calls": ["arrived", "keep", "standby", "forgotten"]}


def arrived(call):
    pool, now = call["pool"], call["nowUs"]
    pause_us[pool] = now - last_us[pool] if pool in last_us else 0
    last_us[pool] = now
    return {}


def keep(call):
    return {"untilUs": call["slot"]["sinceUs"] + hold_us}


def standby(call):
    pause = pause_us.get(call["pool"], 0)
    again = last_us.get(call["pool"], 0) + pause - hold_us
    if pause <= 2 * hold_us or call["nowUs"] >= again + hold_us:
        return {}
    if call["nowUs"] < again:
        return {"againAtUs": again}
    return {"create": 1} if call["busy"] + call["idle"] + call["inFlight"] == 0 else {}


def forgotten(call):
    last_us.pop(call["pool"], None)
    pause_us.pop(call["pool"], None)
    return {}


ANSWERS = {"begin": begin, "arrived": arrived, "keep": keep, "standby": standby, "forgotten": forgotten}
for line in sys.stdin:
    call = json.loads(line)
    print(json.dumps(ANSWERS[call["call"]](call)), flush=True)
