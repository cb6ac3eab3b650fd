using FsCheck;
using FsCheck.Fluent;
using FuncScaler.Policies;
using FuncScaler.Policies.Basic;

namespace FuncScaler.Tests.Pool;

/// <summary>A run of the simulated world, in full: the same scenario always goes the same way.</summary>
/// <param name="Seed">Of latencies, faults and random policies.</param>
/// <param name="Policy">How functions are served.</param>
/// <param name="Core">Several functions in a core, or one pool by itself.</param>
/// <param name="Waiting">Whether requests take whatever comes first.</param>
/// <param name="MaxSlots">The limit per function; 0 for none.</param>
/// <param name="Grace">Whether assignments expire.</param>
/// <param name="Tickets">Whether the backend keeps the tickets of its slots.</param>
/// <param name="FaultPercent">How many backend calls go wrong.</param>
/// <param name="DrainWhileBusy">Whether it is stopped while requests wait and execute.</param>
/// <param name="Steps">What callers, operators and chance do; each number stands for one action and the pause before it.</param>
internal sealed record Scenario(
    int Seed,
    ScenarioPolicy Policy,
    bool Core,
    bool Waiting,
    int MaxSlots,
    bool Grace,
    bool Tickets,
    int FaultPercent,
    bool DrainWhileBusy,
    int[] Steps)
{
    public static Arbitrary<Scenario> Any { get; } = Arb.From(
        from seed in Gen.Choose(0, 1_000_000_000)
        from policy in Gen.Elements(Enum.GetValues<ScenarioPolicy>())
        from core in Gen.Elements(true, true, false)
        from waiting in Gen.Elements(true, true, false)
        from maxSlots in Gen.Elements(0, 0, 1, 3)
        from grace in Gen.Elements(true, false)
        from tickets in Gen.Elements(true, false)
        from faults in Gen.Elements(0, 10, 30, 60)
        from drain in Gen.Elements(true, false)
        from count in Gen.Choose(1, 160)
        from steps in Gen.ArrayOf(Gen.Choose(0, 1_000_000_000), count)
        select new Scenario(seed, policy, core, waiting, maxSlots, grace, tickets, faults, drain, steps),
        Shrink);

    /// <summary>One of as many scenarios as there are numbers.</summary>
    public static Scenario FromSeed(long seed)
    {
        var dice = new Dice(seed);
        var steps = new int[dice.Next(160) + 1];
        for (var i = 0; i < steps.Length; i++)
        {
            steps[i] = dice.Next(1_000_000_001);
        }

        return new Scenario(
            dice.Next(1_000_000_001),
            dice.Pick(Enum.GetValues<ScenarioPolicy>()),
            Core: dice.Percent(67),
            Waiting: dice.Percent(67),
            MaxSlots: dice.Pick([0, 0, 1, 3]),
            Grace: dice.Percent(50),
            Tickets: dice.Percent(50),
            FaultPercent: dice.Pick([0, 10, 30, 60]),
            DrainWhileBusy: dice.Percent(50),
            steps);
    }

    /// <summary>Of a scenario that fails, the words of its failure and the smallest scenario found that fails too.</summary>
    public string Smallest()
    {
        try
        {
            new World(this).Run();
            return "";
        }
        catch (InvalidOperationException e)
        {
            return Shrink(this).Select(s => s.Smallest()).FirstOrDefault(words => words.Length > 0) ?? $"{e.Message}\n{this}";
        }
    }

    /// <summary>Whether the host holds creations back for a while.</summary>
    public bool Rationed => Seed % 7 < 2;

    /// <summary>How many requests may share an instance, 1 to 8.</summary>
    public int Concurrency => Seed % 5 < 2 ? 1 : 1 + (Seed / 5 % 8);

    /// <summary>Whether the policy may tie each miss to a slot of its own, so that a request waits beside an idle instance that was made for nobody.</summary>
    public bool Ties => Policy is ScenarioPolicy.Random or ScenarioPolicy.Direct
        || (Policy == ScenarioPolicy.Catalog && PolicyCatalog.All[Seed % PolicyCatalog.All.Count].Name == "direct");

    /// <summary>Whether operators set limits of functions meanwhile.</summary>
    public bool Limited => Seed % 4 == 1;

    public SlotPoolOptions Options => new()
    {
        Waiting = Waiting,
        MaxSlots = MaxSlots,
        MostSlowdown = Seed % 3 == 0 ? 1.01 : 1.5,
        MaxWaiting = Seed % 4 == 0 ? 2 : 10_000,
        CreateTimeout = TimeSpan.FromSeconds(2),
        InitTimeout = TimeSpan.FromSeconds(4),
        DestroyTimeout = TimeSpan.FromSeconds(1),
        RetryDelay = TimeSpan.FromMilliseconds(Seed % 5 == 0 ? 0 : 100),
        MaxRetryDelay = TimeSpan.FromSeconds(2),
        MaxDestroyPause = TimeSpan.FromSeconds(2),
        AssignmentGrace = Grace ? TimeSpan.FromSeconds(3) : Timeout.InfiniteTimeSpan,
        NoTimeoutLimit = Grace ? TimeSpan.FromSeconds(8) : Timeout.InfiniteTimeSpan,
    };

    /// <summary>The policy of each function, for one scaler.</summary>
    public Func<FunctionMeta, IKeepAlivePolicy> BeginPolicy(IPolicyHost host) => Policy switch
    {
        ScenarioPolicy.Direct => _ => new DirectPolicy(),
        ScenarioPolicy.Ttl => _ => new TtlPolicy(new TtlPolicyOptions { KeepAlive = TimeSpan.FromSeconds(1.5) }),
        ScenarioPolicy.Capped => _ => new CappedPolicy(new CappedPolicyOptions { KeepAlive = TimeSpan.FromSeconds(3), MaxIdle = 2 }),
        ScenarioPolicy.Catalog => PolicyCatalog.Parse(PolicyCatalog.All[Seed % PolicyCatalog.All.Count].Name).Begin(host),
        _ => function => new RandomPolicy(new Dice(Seed + function.Key.Value.Length)),
    };

    public override string ToString() =>
        $"new Scenario({Seed}, ScenarioPolicy.{Policy}, {Text(Core)}, {Text(Waiting)}, {MaxSlots}, {Text(Grace)}, {Text(Tickets)}, "
        + $"{FaultPercent}, {Text(DrainWhileBusy)}, [{string.Join(", ", Steps)}])";

    private static string Text(bool value) => value ? "true" : "false";

    private static IEnumerable<Scenario> Shrink(Scenario scenario)
    {
        for (var length = scenario.Steps.Length / 2; length > 0; length /= 2)
        {
            for (var start = 0; start + length <= scenario.Steps.Length; start += length)
            {
                yield return scenario with { Steps = [.. scenario.Steps[..start], .. scenario.Steps[(start + length)..]] };
            }
        }

        if (scenario.FaultPercent > 0)
        {
            yield return scenario with { FaultPercent = 0 };
        }

        if (scenario.Core)
        {
            yield return scenario with { Core = false };
        }

        if (scenario.MaxSlots > 0)
        {
            yield return scenario with { MaxSlots = 0 };
        }
    }
}

internal enum ScenarioPolicy
{
    Ttl,
    Direct,
    Capped,
    Random,

    /// <summary>One of the catalog's, with its own settings.</summary>
    Catalog,
}
