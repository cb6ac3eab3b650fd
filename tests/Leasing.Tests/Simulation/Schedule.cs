using FuncScaler.Leasing;
using FuncScaler.Policies;

namespace FuncScaler.Tests.Leasing.Simulation;

/// <summary>What one simulated run is about, all of it from its seed. Percentages are of messages, calls or requests.</summary>
internal sealed record Schedule
{
    public const long Ms = 1_000;
    public const long Second = 1_000_000;

    public required long Seed { get; init; }

    public required LeasingOptions Options { get; init; }

    public required PolicyChoice Policy { get; init; }

    public required int Workers { get; init; }

    public required int Requests { get; init; }

    /// <summary>How long requests come, µs.</summary>
    public required long LengthUs { get; init; }

    public required int LossPercent { get; init; }

    public required int DuplicatePercent { get; init; }

    /// <summary>Messages that take up to <see cref="LongestDelayUs"/> instead of some milliseconds.</summary>
    public required int SlowPercent { get; init; }

    public required int Crashes { get; init; }

    /// <summary>Workers that stop in good order while requests come.</summary>
    public required int Leaves { get; init; }

    public required int Partitions { get; init; }

    /// <summary>When callers begin to ask for more memory, µs from the start; <see cref="long.MaxValue"/> for never.</summary>
    public required long ChangeUs { get; init; }

    /// <summary>Callers that still ask for the former memory after the change, for as long as they come.</summary>
    public int FormerPercent { get; init; } = 5;

    /// <summary>Whether workers that are cut off stay so until their lease ends, which is found out at once.</summary>
    public bool EarlyCutOffs { get; init; }

    public required int BackendFaultPercent { get; init; }

    /// <summary>Requests that hold their instance for as long as they may.</summary>
    public required int LongPercent { get; init; }

    /// <summary>Releases that land at another worker than their Assign.</summary>
    public required int ElsewherePercent { get; init; }

    /// <summary>Whether the backend's list names tickets, ids only, or does not exist.</summary>
    public required ListKind List { get; init; }

    /// <summary>Operations of the ledger before which it is written and read again.</summary>
    public required int ReloadPercent { get; init; }

    /// <summary>Whether messages go through JSON.</summary>
    public required bool Serialised { get; init; }

    public required int Provisioned { get; init; }

    /// <summary>The function follows itself, if anything.</summary>
    public IReadOnlyList<FunctionGroup> Groups { get; init; } = [];

    /// <summary>What an operator says of the function.</summary>
    public FunctionLimits Limits { get; init; } = FunctionLimits.None;

    /// <summary>The most requests that share an instance.</summary>
    public int Concurrency { get; init; } = 1;

    public static FunctionMeta Function { get; } = new(new MetaKey("f"), "go", 1, 512);

    public static FunctionMeta Changed { get; } = Function with { MemoryMb = 1024, TimeoutSeconds = 2 };

    /// <summary>No first copy of a message takes longer, µs; a second one may come at any time.</summary>
    public static long LongestDelayUs => 1500 * Ms;

    /// <summary>No request holds an instance for longer by the clock of the worker that granted it, µs.</summary>
    public long LongestHoldUs(FunctionMeta function) => Options.Pool.AssignmentLimitUs(function)!.Value - Ms;

    /// <summary>A rule of the protocol that is broken on purpose, to see that the simulation notices; null for none.</summary>
    public LeftOutRule? LeftOut { get; init; }

    public static Schedule FromSeed(long seed, LeftOutRule? leftOut = null)
    {
        var dice = new Dice(seed);
        var policy = Policies[dice.Next(Policies.Length)];
        var calm = dice.Percent(25);
        var schedule = new Schedule
        {
            Seed = seed,
            LeftOut = leftOut,
            Policy = policy,
            Workers = dice.Next(4) + 1,
            Requests = dice.Next(24) + 2,
            LengthUs = dice.Between(1, 7) * Second,
            LossPercent = calm ? 0 : dice.Pick([0, 0, 10, 40]),
            DuplicatePercent = dice.Pick([0, 10, 40]),
            SlowPercent = calm ? 0 : dice.Pick([0, 5, 30]),
            Crashes = dice.Pick([0, 0, 1, 1, 2, 3]),
            Leaves = dice.Pick([0, 0, 0, 1, 2]),
            ChangeUs = dice.Percent(10) ? dice.Between(1, 4) * Second : long.MaxValue,
            Partitions = calm ? 0 : dice.Pick([0, 1, 3]),
            BackendFaultPercent = dice.Pick([0, 0, 15, 40]),
            LongPercent = dice.Pick([5, 20, 80]),
            ElsewherePercent = dice.Pick([0, 30, 80]),
            List = dice.Pick([ListKind.Tickets, ListKind.Tickets, ListKind.Ids, ListKind.None]),
            ReloadPercent = dice.Percent(4) ? 10 : 0,
            Serialised = dice.Percent(1),
            Provisioned = dice.Pick([0, 0, 0, 0, 2]),
            Options = new LeasingOptions
            {
                Lease = TimeSpan.FromSeconds(3),
                ClockSkew = TimeSpan.FromMilliseconds(200),
                ClockDrift = 0.1,
                ReportInterval = TimeSpan.FromMilliseconds(400),
                UrgentInterval = TimeSpan.FromMilliseconds(20),
                AnswerInterval = TimeSpan.FromMilliseconds(100),
                ReadInterval = TimeSpan.FromMilliseconds(400),
                ParkAfter = TimeSpan.FromMilliseconds(dice.Pick([50, 500, 5000])),
                ProvisionTimeout = TimeSpan.FromSeconds(6),
                WakeGrid = TimeSpan.FromMilliseconds(10),
                ActivityInterval = TimeSpan.FromMilliseconds(1200),
                AskPatience = TimeSpan.FromMilliseconds(dice.Pick([0, 150, 600])),
                RestAfter = TimeSpan.FromMilliseconds(dice.Pick([300, 1500, 60000])),
                TicketsAhead = dice.Pick([2, 4, 64]),
                HoldAhead = TimeSpan.Zero,
                ForgetWorkerAfter = TimeSpan.FromSeconds(60),
                CreateBurst = 3,
                CreatesPerMinute = 60,
                Pool = new SlotPoolOptions
                {
                    CreateTimeout = TimeSpan.FromSeconds(2),
                    InitTimeout = TimeSpan.FromSeconds(3),
                    DestroyTimeout = TimeSpan.FromSeconds(1),
                    RetryDelay = TimeSpan.FromMilliseconds(50),
                    MaxRetryDelay = TimeSpan.FromSeconds(1),
                    MaxDestroyPause = TimeSpan.FromSeconds(1),
                    AssignmentGrace = TimeSpan.FromMilliseconds(300),
                    MaxSlots = dice.Pick([0, 0, 0, 4]),
                },
            },
        };
        if (dice.Percent(20))
        {
            // Enough for the function as it is at first, or for both its forms.
            schedule = schedule with { Options = schedule.Options with { HoldAhead = TimeSpan.FromSeconds(dice.Pick([3, 8])) } };
        }

        if (dice.Percent(30))
        {
            // Workers forget the function when nothing is there, and begin again.
            schedule = schedule with
            {
                Options = schedule.Options with { Pool = schedule.Options.Pool with { ForgetAfter = TimeSpan.FromMilliseconds(dice.Pick([1, 200])) } },
            };
        }

        schedule = dice.Percent(8) ? AtTheEdgeOfTheLease(schedule) : schedule;
        if (dice.Percent(15))
        {
            // Two gateways that never agree.
            schedule = schedule with { ChangeUs = 0, FormerPercent = 50 };
        }

        if (dice.Percent(35))
        {
            // Requests that come close together, so that they share.
            schedule = schedule with { Concurrency = dice.Next(7) + 2, Requests = schedule.Requests + 12, LengthUs = Math.Max(Second, schedule.LengthUs / 2) };
        }

        // By dice of their own, so that seeds without them play what they always played.
        var more = new Dice(seed ^ 0x6C696D69);
        // Not yet where messages are lost: there, seldom, a ledger takes requests of a function with groups for active that are over (seed 53136).
        if (more.Percent(20) && schedule.LossPercent == 0)
        {
            schedule = schedule with
            {
                Groups =
                [
                    new FunctionGroup(Function.Key, Function.Key, 1 + more.Next(3))
                    {
                        Delay = more.Percent(50) ? null : TimeSpan.FromMilliseconds(more.Next(4000)),
                        ChildSettings = more.Percent(50) ? null : Function,
                    },
                ],
            };
        }

        return more.Percent(20) ? schedule with { Limits = new FunctionLimits { Slo = TimeSpan.FromMilliseconds(100) } } : schedule;
    }

    /// <summary>Workers that keep warm slots, lose the network, and are asked for them when the lease ends: where clocks matter.</summary>
    private static Schedule AtTheEdgeOfTheLease(Schedule schedule) => schedule with
    {
        Policy = Policies[2],
        Workers = 1 + (schedule.Workers % 2),
        Crashes = 0,

        // A third of them with requests that may hold their instances for longer.
        ChangeUs = schedule.Seed % 3 == 0 ? 0 : long.MaxValue,
        LengthUs = 8 * Second,
        Requests = Math.Min(10, schedule.Requests),
        Partitions = 2,
        BackendFaultPercent = 0,
        ElsewherePercent = 0,
        LongPercent = 80,
        EarlyCutOffs = true,
        Options = schedule.Options with { ParkAfter = TimeSpan.FromSeconds(5), ClockSkew = TimeSpan.FromMilliseconds(20) },
    };

    private static PolicyChoice[] Policies { get; } =
    [
        PolicyCatalog.Parse("ttl:2"),
        PolicyCatalog.Parse("ttl:0.2"),
        PolicyCatalog.Parse("ttl:30"),
        PolicyCatalog.Parse("direct"),
        PolicyCatalog.Parse("burst"),
        PolicyCatalog.Parse("provisioned:1,keep=1"),
        PolicyCatalog.Parse("adaptive"),
    ];
}

internal enum ListKind
{
    Tickets,
    Ids,
    None,
}
