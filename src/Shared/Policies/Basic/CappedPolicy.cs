namespace FuncScaler.Policies.Basic;

/// <summary>
/// A fixed keep-alive with a bound on idle instances: what would exceed it is given back at once. Source: the contest's fourth place,
/// which kept at most 10 idle instances, and at most one of 2 GB and more.
/// </summary>
public sealed class CappedPolicy(CappedPolicyOptions options) : IKeepAlivePolicy
{
    public long KeepUntilUs(in PoolView pool, in IdleSlot slot)
    {
        var most = pool.Function.MemoryMb >= options.LargeMemoryMb ? options.MaxIdleLarge : options.MaxIdle;
        return pool.Idle > most ? pool.NowUs : slot.SinceUs + (long)(options.KeepAliveSeconds * 1e6);
    }
}

/// <param name="KeepAliveSeconds">
/// How long an idle instance is kept, s. The source names no figure for all its data sets; the default, 60 s, is ours.
/// </param>
/// <param name="MaxIdle">Idle instances of a function at most.</param>
/// <param name="MaxIdleLarge">The same for large functions.</param>
/// <param name="LargeMemoryMb">From which memory on a function is large, MB.</param>
public sealed record CappedPolicyOptions(double KeepAliveSeconds = 60, int MaxIdle = 10, int MaxIdleLarge = 1, int LargeMemoryMb = 2048);
