namespace FuncScaler.Policies.Basic;

/// <summary>
/// A fixed keep-alive with a bound on idle instances: what would exceed it is given back at once. Source: the contest's fourth place,
/// which kept at most 10 idle instances, and at most one of 2 GB and more.
/// </summary>
public sealed class CappedPolicy(CappedPolicyOptions options) : IKeepAlivePolicy
{
    private readonly long _keepAliveUs = options.KeepAlive.ToUs();

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        var most = pool.Function.MemoryMb >= options.LargeMemoryMb ? options.MaxIdleLarge : options.MaxIdle;
        return pool.Idle > most ? KeepDecision.LetGoNow : KeepDecision.HoldUntil(slot.SinceUs + _keepAliveUs);
    }
}

/// <summary>Options of <see cref="CappedPolicy"/>.</summary>
public sealed record CappedPolicyOptions
{
    /// <summary>How long an idle instance is kept, from 0 to a year.</summary>
    /// <value>The default is 60 s, which is ours: the source names no figure for all its data sets.</value>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The most idle instances of a function, from 0.</summary>
    /// <value>The default is 10.</value>
    public int MaxIdle { get; init; } = 10;

    /// <summary>The most idle instances of a large function, from 0.</summary>
    /// <value>The default is 1.</value>
    public int MaxIdleLarge { get; init; } = 1;

    /// <summary>The memory from which on a function is large, MB, from 1.</summary>
    /// <value>The default is 2048 MB.</value>
    public int LargeMemoryMb { get; init; } = 2048;

    internal CappedPolicyOptions Read(PolicyOptionReader reader) =>
        this with { KeepAlive = reader.Time("keep", KeepAlive, main: true) };
}
