using FuncScaler.Leasing;
using FuncScaler.Policies;
using FuncScaler.Tests.Pool;

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

    public required int Partitions { get; init; }

    public required int BackendFaultPercent { get; init; }

    /// <summary>Releases that land at another worker than their Assign.</summary>
    public required int ElsewherePercent { get; init; }

    /// <summary>Whether the backend's list names tickets, ids only, or does not exist.</summary>
    public required ListKind List { get; init; }

    /// <summary>Operations of the ledger before which it is written and read again.</summary>
    public required int ReloadPercent { get; init; }

    /// <summary>Whether messages go through JSON.</summary>
    public required bool Serialised { get; init; }

    public required int Provisioned { get; init; }

    public static FunctionMeta Function { get; } = new(new MetaKey("f"), "go", 1, 512);

    /// <summary>No message of a worker takes longer, µs.</summary>
    public static long LongestDelayUs => 1500 * Ms;

    /// <summary>No request holds an instance for longer, µs: what the limit allows on the fastest clock.</summary>
    public long LongestHoldUs => (long)(Options.Pool.AssignmentLimitUs(Function)!.Value / (1 + Options.ClockDrift)) - Ms;

    public static Schedule FromSeed(long seed, LeasingFault fault = LeasingFault.None)
    {
        var dice = new Dice(seed);
        var policy = Policies[dice.Next(Policies.Length)];
        var calm = dice.Percent(25);
        return new Schedule
        {
            Seed = seed,
            Policy = policy,
            Workers = dice.Next(4) + 1,
            Requests = dice.Next(24) + 2,
            LengthUs = dice.Between(1, 7) * Second,
            LossPercent = calm ? 0 : dice.Pick([0, 0, 10, 40]),
            DuplicatePercent = dice.Pick([0, 10, 40]),
            SlowPercent = calm ? 0 : dice.Pick([0, 5, 30]),
            Crashes = dice.Pick([0, 0, 1, 1, 2, 3]),
            Partitions = calm ? 0 : dice.Pick([0, 1, 2]),
            BackendFaultPercent = dice.Pick([0, 0, 15, 40]),
            ElsewherePercent = dice.Pick([0, 30, 80]),
            List = dice.Pick([ListKind.Tickets, ListKind.Tickets, ListKind.Ids, ListKind.None]),
            ReloadPercent = dice.Pick([0, 0, 0, 0, 0, 0, 0, 10]),
            Serialised = dice.Percent(3),
            Provisioned = dice.Pick([0, 0, 0, 0, 2]),
            Options = new LeasingOptions
            {
                LeaseUs = 3 * Second,
                ClockSkewUs = 100 * Ms,
                ClockDrift = 0.05,
                ReportIntervalUs = 400 * Ms,
                UrgentIntervalUs = 20 * Ms,
                AnswerIntervalUs = 100 * Ms,
                ReadIntervalUs = 400 * Ms,
                ParkAfterUs = dice.Pick([50 * Ms, 500 * Ms, 5 * Second]),
                ProvisionTimeoutUs = 6 * Second,
                ForgetWorkerUs = 60 * Second,
                CreateBurst = 3,
                CreatesPerMinute = 60,
                Fault = fault,
                Pool = new SlotPoolOptions
                {
                    CreateTimeoutUs = 2 * Second,
                    InitTimeoutUs = 3 * Second,
                    DestroyTimeoutUs = 1 * Second,
                    RetryDelayUs = 50 * Ms,
                    MaxRetryDelayUs = 1 * Second,
                    AssignmentGraceUs = 300 * Ms,
                    MaxSlots = dice.Pick([0, 0, 0, 4]),
                },
            },
        };
    }

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
