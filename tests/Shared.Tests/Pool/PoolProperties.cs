using System.Diagnostics;
using Xunit.Abstractions;

namespace FuncScaler.Tests.Pool;

/// <summary>Whatever callers and backend do, in whatever order: the promises of <see cref="SlotPool"/> and <see cref="ScalerCore"/> hold.</summary>
public class PoolProperties(ITestOutputHelper output)
{
    /// <summary>What a run must have come by, or the generator does not reach what it is for.</summary>
    private static readonly string[] Interesting =
    [
        "A held creation is not wanted any more",
        "Abandon by one of several callers",
        "Abandon of a granted request",
        "Abandon of a waiting request",
        "Assign of a request that holds an instance",
        "Assign of a request that waits",
        "Assignment expired",
        "CreateSlot held back",
        "CreateSlot overdue",
        "CreateSlot without an answer",
        "DestroySlot by ticket",
        "DestroySlot without an answer",
        "Fair with nobody waiting",
        "Fair with requests waiting",
        "Function changed while a slot is Busy",
        "Function changed while a slot is Creating",
        "Function changed while a slot is Destroying",
        "Function changed while a slot is Held",
        "Function changed while a slot is Idle",
        "Function changed while a slot is Initializing",
        "Function changed its concurrency",
        "Grant Cold",
        "Grant Waited",
        "Grant Warm",
        "Grant of an instance that others hold",
        "Init without an answer",
        "Limits with a floor",
        "Reject BackendRefused",
        "Reject Cancelled",
        "Reject DeadlineExceeded",
        "Reject Overloaded",
        "Reject ShuttingDown",
        "Release answered with InstanceMismatch",
        "Release answered with UnknownAssignment",
        "Release of a broken instance",
        "Release of a broken instance that others hold",
        "Release of an expired assignment",
        "SlotCreated after its failure for a slot Destroying, id unknown",
        "SlotCreated after its failure for a slot given up",
        "SlotCreated duplicate for a slot Busy",
        "SlotCreated duplicate for a slot Initializing",
        "SlotCreated late for a slot Creating, overdue",
        "SlotCreated late for a slot given up",
        "SlotCreated lying for a slot Creating",
        "SlotFailed Permanent for a slot Creating",
        "SlotFailed Permanent for a slot Initializing",
        "SlotFailed Throttled for a slot Creating",
        "SlotFailed Throttled for a slot Destroying",
        "SlotFailed Transient for a slot Busy",
        "SlotFailed Transient for a slot Creating",
        "SlotFailed Transient for a slot Destroying",
        "SlotFailed Transient for a slot Initializing",
        "SlotFailed Transient for a slot given up",
        "SlotFailed Transient, outcome unknown, for a slot Creating",
        "SlotFailed Transient, outcome unknown, for a slot Destroying",
        "SlotReady for a slot Busy",
        "SlotReady for a slot Destroying",
        "SlotReady for a slot given up",
        "The list lacks a slot Busy",
        "The list lacks a slot Creating",
        "The list lacks a slot Destroying",
        "The list lacks a slot Idle",
        "The list lacks a slot Initializing",
    ];

    [Fact]
    public void No_schedule_breaks_an_invariant()
    {
        var clock = Stopwatch.StartNew();

        // A schedule takes ten times as long here as in the leasing protocol's simulation.
        var count = Math.Min(Schedules.Count, 20_000);
        var failed = Schedules.FirstFailure(Schedules.First, count, seed => new World(Scenario.FromSeed(seed)).Run());
        output.WriteLine(FormattableString.Invariant($"{count} schedules in {clock.Elapsed.TotalSeconds:0.0} s"));
        if (failed is { } seed)
        {
            Assert.Fail($"Schedule {seed}: {Scenario.FromSeed(seed).Smallest()}");
        }
    }

    [Fact]
    public void The_invariants_hold_whatever_happens()
    {
        var seen = new Dictionary<string, int>();
        Properties.Check(Scenario.Any, scenario => new World(scenario, seen).Run(), tests: (int)TestLength.Count(100, 400));
        Assert.Equal([], Interesting.Except(seen.Keys));
    }

    [Fact]
    public void The_same_events_lead_to_the_same_effects() =>
        Properties.Check(Scenario.Any, scenario => Assert.Equal(new World(scenario).Run().Trace, new World(scenario).Run().Trace), tests: 40);

    [Fact]
    public void A_scaler_that_learns_after_it_has_answered_decides_the_same()
    {
        var (unsettled, tests) = (0, Properties.Often(300));
        Properties.Check(
            Scenario.Any, scenario => unsettled += new World(scenario with { Core = true }, twin: true).Run().Unsettled, tests: tests);
        Assert.True(unsettled > 10 * tests, $"only {unsettled} events have left something to settle");
    }
}
