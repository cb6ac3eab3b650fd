using System.Diagnostics;
using Xunit.Abstractions;

namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>Random schedules of workers, a ledger, a backend and a bad network; as many as <see cref="Schedules"/> says.</summary>
public class ProtocolSimulation(ITestOutputHelper output)
{
    /// <summary>What the first 1,500 schedules must come by, or they do not reach what they are for.</summary>
    private static readonly string[] Interesting =
    [
        "Creating, at a worker -> Destroying",
        "Creating, at a worker -> Entrusted",
        "Creating, at a worker -> Idle",
        "Creating, at a worker -> Leased",
        "Creating, at a worker -> gone",
        "Creating, provisioning -> Destroying",
        "Creating, provisioning -> Idle",
        "Creating, provisioning -> Leased",
        "Creating, provisioning -> gone",
        "Destroying -> gone",
        "Entrusted -> Destroying",
        "Entrusted -> Idle",
        "Entrusted -> Leased",
        "Idle -> Destroying",
        "Idle -> Leased",
        "Leased -> Destroying",
        "Leased -> Entrusted",
        "Leased -> Idle",
        "Leased -> Suspect",
        "Suspect -> Destroying",
        "a beat",
        "a grant Cold",
        "a grant Cold, nobody reads it",
        "a grant Waited",
        "a grant Warm",
        "a leave",
        "a life over",
        "a reject BackendRefused",
        "a reject Cancelled",
        "a reject DeadlineExceeded",
        "a reject ShuttingDown",
        "a release Forwarded",
        "a release Forwarded without a lease",
        "a release Released",
        "a release Released without a lease",
        "a release UnknownAssignment",
        "a rest",
        "a shared instance",
        "a slot entrusted by several",
        "a slot never told",
        "a worker destroys",
        "a worker forgotten",
        "an orphan",
        "another life",
        "provisioning Create",
        "provisioning Destroy",
        "provisioning Init",
        "provisioning Register",
        "provisioning Report",
        "provisioning Wait",
    ];

    [Fact]
    public void No_schedule_breaks_a_promise()
    {
        var clock = Stopwatch.StartNew();
        var failed = FirstFailure(Schedules.First, Schedules.Count);
        output.WriteLine(FormattableString.Invariant($"{Schedules.Count} schedules in {clock.Elapsed.TotalSeconds:0.0} s"));
        if (failed is not null)
        {
            Assert.Fail(Story(failed.Value));
        }
    }

    [Fact]
    public void The_schedules_reach_what_they_are_for()
    {
        var missing = new HashSet<string>(Interesting);
        Parallel.For(1, 1501, (seed, loop) =>
        {
            var seen = new HashSet<string>();
            new LeasingWorld(Schedule.FromSeed(seed), seen: seen).Run();
            lock (missing)
            {
                missing.ExceptWith(seen);
                if (missing.Count == 0)
                {
                    loop.Stop();
                }
            }
        });

        Assert.Equal([], missing);
    }

    /// <summary>The first seed that fails, of those that were tried; null when none did.</summary>
    internal static long? FirstFailure(long first, long count, LeftOutRule? leftOut = null) =>
        Schedules.FirstFailure(first, count, seed => new LeasingWorld(Schedule.FromSeed(seed, leftOut)).Run());

    /// <summary>What goes wrong under a seed, and how it came to it.</summary>
    internal static string Story(long seed, LeftOutRule? leftOut = null)
    {
        var schedule = Schedule.FromSeed(seed, leftOut);
        var world = new LeasingWorld(schedule, trace: true);
        try
        {
            world.Run();
            return $"Schedule {seed} does not fail when it is repeated: something in it is not deterministic.";
        }
        catch (Exception e)
        {
            return $"Schedule {seed}: {e.Message}\n{schedule}\n{string.Join('\n', world.Trace)}\nSchedule {seed}: {e}\n"
                + $"Repeat it: FUNCSCALER_SCHEDULES=1 FUNCSCALER_SCHEDULE_SEED={seed} dotnet test tests/Leasing.Tests --filter {nameof(No_schedule_breaks_a_promise)}";
        }
    }
}
