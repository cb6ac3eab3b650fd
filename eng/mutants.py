#!/usr/bin/env python3
"""Puts small faults into the deciding code, one at a time, and says which of them no test notices.

    eng/mutants.py                    all of them; run by hand, as each needs a build and a run of tests
    eng/mutants.py --check            only whether each fault's text still stands in the code, exactly once
    eng/mutants.py NAME...            those whose name contains one of these words

A fault is a text that stands once in src, what it is replaced by, the test project that must fail, and a filter of `dotnet test` for the
tests nearest to it. Where these pass, the whole project is run. Works on a copy of the files that git tracks. Ends with 1 where a fault survives
or its text is not found; docs/reference/mutants.md lists what came out.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
TEST_SECONDS = 600
POOL, LEDGER = "FullyQualifiedName~.PoolStories|FullyQualifiedName~.PoolRegressions", "FullyQualifiedName~.PoolLedgerStories"
SHARED, LEASING, RUNTIME = "Shared.Tests", "Leasing.Tests", "ScalerRuntime.Tests"
EXECUTOR = "FullyQualifiedName~Runtime.ScalerRuntimeTests|FullyQualifiedName~RuntimeSimulation"

# (name, text, replaced by, test project, nearest tests)
MUTANTS = [
    ("pool: the oldest idle instance is reused first", "_idle.Count > 0 ? _idle[^1] : null",
     "_idle.Count > 0 ? _idle[0] : null", SHARED, POOL),
    ("pool: a release is believed for any instance", "if (slot.Instance != instance)", "if (slot.Instance != instance && nowUs < 0)", SHARED, POOL),
    ("pool: a broken instance is offered again", "if (result.NeedDestroy)\n        {\n            Lose(", "if (result.NeedDestroy && nowUs < 0)\n        {\n            Lose(",
     SHARED, POOL),
    ("pool: a deadline counts a tick too late", "w.DeadlineUs <= nowUs", "w.DeadlineUs < nowUs", SHARED, POOL),
    ("pool: a slot that the backend hands out twice is used twice", "if (!registry.TryClaim(backendId, slot.Ticket))",
     "if (!registry.TryClaim(backendId, slot.Ticket) && slot.Ticket == default)", SHARED, POOL),
    ("pool: a create of unknown outcome is forgotten", 'Destroy(slot, "the outcome of its creation is unknown", effects);', "Drop(slot);", SHARED, POOL),
    ("pool: what the backend asks for is not waited for", "Math.Max(failure.RetryAfterUs, _options.RetryPauseUs(slot.DestroyAttempts))",
     "_options.RetryPauseUs(slot.DestroyAttempts)", SHARED, POOL),
    ("pool: one slot more than allowed", "_inventory.Count >= _options.MaxSlots", "_inventory.Count > _options.MaxSlots", SHARED, POOL),
    ("pool: a created slot nobody needs is initialised", "_line.Count > InitializingCount", "_line.Count >= InitializingCount", SHARED, POOL),
    ("capped: one idle instance less", "pool.Idle > most", "pool.Idle >= most", SHARED, "FullyQualifiedName~CappedPolicyTests"),
    ("burst: a miss creates one less", "hot ? 1 + options.Extra : 1", "hot ? options.Extra : 1", SHARED, "FullyQualifiedName~BurstPolicyTests"),
    ("memory-ttl: the limit moves by less", "Math.Ceiling(Math.Log(Math.Abs(hint) / 5.0))", "Math.Floor(Math.Log(Math.Abs(hint) / 5.0))", SHARED, "FullyQualifiedName~MemoryTtlPolicyTests"),
    ("prealloc: a beginning needs a longer silence", "pool.NowUs - _lastArrivalUs >= _silenceUs", "pool.NowUs - _lastArrivalUs > _silenceUs",
     SHARED, "FullyQualifiedName~PreallocPolicyTests"),
    ("provisioned: one always-ready instance less", "slot.Rank <= options.Instances", "slot.Rank < options.Instances", SHARED, "FullyQualifiedName~ProvisionedPolicyTests"),
    ("greedy-dual: the clock stands still", "Clock = Math.Max(Clock, victim.Priority);", "Clock = Math.Min(Clock, victim.Priority);", SHARED, "FullyQualifiedName~GreedyDualPolicyTests"),
    ("plan: a prewarm costs nothing to create", "inTime && createCostGbs + holdCost < coldCost", "inTime && holdCost < coldCost", SHARED, "FullyQualifiedName~Adaptive.Planning"),
    ("plan: a prewarm is ready at once", "LogHistogram.LowerBoundUs(bin) >= coldSeconds * 1e6", "LogHistogram.LowerBoundUs(bin) >= 0", SHARED, "FullyQualifiedName~Adaptive.Planning"),
    ("plan: what dies later is not weighed", "((1 - hazard) * warm)", "warm", SHARED, "FullyQualifiedName~Adaptive.Planning"),
    ("miss: displaced executions count twice", "executions * (executions - 1) / 2 * durationSeconds", "executions * (executions - 1) * durationSeconds",
     SHARED, "FullyQualifiedName~Adaptive.Planning"),
    ("wait or create: the requests behind do not count", "Math.Max(drainUs, drainUs * drainUs / (2 * durationUs))", "drainUs", SHARED, "FullyQualifiedName~Adaptive.Demand|FullyQualifiedName~WaitOrCreate"),
    ("wait or create: a creation must save twice its cost", "gbs > queue.CreateGbs", "gbs > 2 * queue.CreateGbs", SHARED, "FullyQualifiedName~Adaptive.Demand|FullyQualifiedName~WaitOrCreate"),
    ("price: compared from the beginning", "options.Warmup * coldUs", "0 * coldUs", SHARED, "FullyQualifiedName~Adaptive.Choosing"),
    ("price: another needs no gain", "ScoreOf(Followed) * (1 + options.Reluctance)", "ScoreOf(Followed) * (1 - options.Reluctance)", SHARED, "FullyQualifiedName~Adaptive.Choosing"),
    ("period: what is foretold later counts now", "count += again <= toUs ? 1 : 0;", "count += 1;", SHARED, "FullyQualifiedName~Adaptive"),
    ("score: the required success rate is not enough", "SuccessRate < ScoreLedger.RequiredSuccessRate", "SuccessRate <= ScoreLedger.RequiredSuccessRate",
     SHARED, "FullyQualifiedName~ScoreLedgerTests"),
    ("score: a destroyed slot costs nothing", "_closedSlotMbUs += (Int128)memoryMb * (nowUs - createdUs);", "", SHARED, "FullyQualifiedName~ScoreLedgerTests"),
    ("ledger: a repeated report is applied again", "if (report.Sequence <= worker.Sequence)", "if (report.Sequence < worker.Sequence)", LEASING, LEDGER),
    ("ledger: an instance is returned under an old epoch", "|| slot.Epoch != operation.Epoch", "", LEASING, LEDGER),
    ("ledger: a slot is ready whoever says so", "out var slot) && slot.Owner == id && slot.State == LedgerSlotState.Creating)",
     "out var slot) && slot.State == LedgerSlotState.Creating)", LEASING, LEDGER),
    ("ledger: any release frees an entrusted slot", "slot.State == LedgerSlotState.Entrusted && slot.Holder == release.Request",
     "slot.State == LedgerSlotState.Entrusted", LEASING, LEDGER),
    ("lease: no margin for the clocks", "(Lease - (2 * ClockSkew)) * (1 - ClockDrift)", "Lease * (1 - ClockDrift)", LEASING, LEDGER),
    ("runtime: an unforeseen failure of create means that nothing was created", "OutcomeUnknown: effect.Kind == EffectKind.CreateSlot", "OutcomeUnknown: false",
     RUNTIME, EXECUTOR),
    ("runtime: a caller beside others that wait takes a warm grant alone", " && !_pending.Contains(key))", ")", RUNTIME, EXECUTOR),
    ("runtime: a caller that leaves keeps its grant", "            Abandon(function.Key, request);\n            throw;", "            throw;", RUNTIME, EXECUTOR),
    ("runtime: a held creation is carried out though nobody needs it", "if (!core.KeepHeldCreate(", "if (create.Ticket == default && !core.KeepHeldCreate(",
     RUNTIME, "FullyQualifiedName~HeldCalls"),
    ("runtime: a list is compared with what was asked for after it", "_core.Reconcile(nowUs, askedUs,", "_core.Reconcile(nowUs, nowUs,", RUNTIME, EXECUTOR),
]

# Faults that change nothing, and why: the same is guarded elsewhere.
EQUIVALENT = {
    "runtime: a caller beside others that wait takes a warm grant alone":
        "the pool answers the repetition of a waiting request with nothing, so what it grants at once never waits",
}


def sources(root):
    for folder, _, files in os.walk(os.path.join(root, "src")):
        for name in files:
            if name.endswith(".cs"):
                yield os.path.join(folder, name)


def place(root, text):
    """The file in which the text stands, and how often it stands in all of them."""
    found = []
    for path in sources(root):
        with open(path, encoding="utf-8") as file:
            found += [path] * file.read().count(text)
    return found[0] if len(found) == 1 else None, len(found)


def dotnet(copy, *arguments):
    try:
        done = subprocess.run(["dotnet", *arguments], cwd=copy, capture_output=True, text=True, timeout=TEST_SECONDS, check=False)
        return done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        return "no end", ""


def verdict(copy, project, tests):
    folder = f"tests/{project}"
    status, output = dotnet(copy, "build", folder, "--no-restore", "-v", "q", "-nologo", "-p:RunAnalyzers=false", "-p:TreatWarningsAsErrors=false")
    if status != 0:
        errors = [line for line in output.split("\n") if "error" in line]
        return "does not build: " + (errors[0].split("error", 1)[1][:100] if errors else str(status))
    for filtered in (["--filter", tests], []):
        status, _ = dotnet(copy, "test", folder, "--no-build", "-nologo", *filtered)
        if status == "no end":
            return f"killed by time: the tests did not end within {TEST_SECONDS} s"
        if status != 0:
            return "killed by " + ("the nearest tests" if filtered else "the whole project")
    return "SURVIVED"


def main():
    check = sys.argv[1:] == ["--check"]
    wanted = [] if check else sys.argv[1:]
    mutants = [m for m in MUTANTS if not wanted or any(word in m[0] for word in wanted)]
    bad = 0
    with tempfile.TemporaryDirectory() as work:
        copy = os.path.join(work, "copy")
        if not check:
            for path in subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
                if path and os.path.isfile(os.path.join(ROOT, path)):
                    os.makedirs(os.path.dirname(os.path.join(copy, path)), exist_ok=True)
                    shutil.copy2(os.path.join(ROOT, path), os.path.join(copy, path))
            for project in sorted({m[3] for m in mutants}):
                dotnet(copy, "restore", f"tests/{project}", "-v", "q")
        for name, text, instead, project, tests in mutants:
            path, count = place(ROOT if check else copy, text)
            begun = time.monotonic()
            if path is None:
                outcome = f"NOT FOUND: its text stands {count} times in src"
            elif check:
                outcome = os.path.relpath(path, ROOT)
            else:
                with open(path, encoding="utf-8") as file:
                    original = file.read()
                with open(path, "w", encoding="utf-8") as file:
                    file.write(original.replace(text, instead))
                outcome = verdict(copy, project, tests)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(original)
                outcome += f"  ({time.monotonic() - begun:.0f} s)"
            if outcome.startswith("SURVIVED") and name in EQUIVALENT:
                outcome = f"survives rightly: {EQUIVALENT[name]}"
            bad += not outcome.startswith(("killed", "src/", "survives rightly"))
            print(f"{name:64} {project:14} {outcome}", flush=True)
    print(f"{len(mutants)} mutants, {bad} of them not killed" if not check else f"{len(mutants)} mutants, {bad} not found")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
