namespace FuncScaler.Policies.Published;

/// <summary>
/// A cache as <see cref="GreedyDualPolicy"/>'s whose priorities also know how many instances of a function are warm, and which creates beside
/// busy instances only while that has paid. Source: Liu et al., "Concurrency-Informed Orchestration for Serverless Functions" (ASPLOS 2025,
/// doi 10.1145/3676641.3716253): CIDRE.
/// </summary>
/// <remarks>
/// As published: a request that finds no idle instance takes whichever comes first, a released or a created one. The priority of an instance is
/// clock + frequency · cost / (size · warm instances of the function); the lowest goes when memory is short. Creating beside busy instances is
/// speculative: it stops while the last instance created idled longer before its first use than an execution lasts, and it goes on once a
/// queued request has waited longer than a cold start.
/// What is left open, and what is taken here: clock, frequency, cost, size and the cap are as in <see cref="GreedyDualPolicy"/>; "an execution"
/// is the function's mean, "a cold start" its mean create plus init; an instance that a waiting request took as soon as it was ready has not
/// idled; what idles unused now counts with its idle time so far. The authors' artifact was not at hand: the rules are told from the paper's
/// abstract and from accounts of it.
/// </remarks>
public sealed class CidrePolicy : GreedyDualPolicy
{
    private readonly WaitingSince _waiting = new();

    // The idle instances as they became idle, the last one at the end: it is used first.
    private readonly List<Unused> _idle = [];
    private bool _speculates = true;

    internal CidrePolicy(FunctionMeta function, InstanceCache cache)
        : base(function, cache)
    {
    }

    private protected override double Shares => Math.Max(1, Held);

    /// <summary>What begins a scaler with this policy: one cache for all its functions.</summary>
    public static PolicyChoice Choose(CidrePolicyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new PolicyChoice("", host =>
        {
            var cache = new InstanceCache(options.MemoryGb * 1024, host);
            return function => new CidrePolicy(function, cache);
        })
        { SharesState = true };
    }

    public override void RequestArrived(in PoolView pool)
    {
        base.RequestArrived(pool);
        _waiting.Arrived(pool.NowUs);
        if (pool.Idle > 0 && _idle.Count > 0 && !pool.HasFreePlace)
        {
            var used = _idle[^1];
            _idle.RemoveAt(_idle.Count - 1);
            if (used.FirstUse)
            {
                _speculates = pool.NowUs - used.SinceUs <= pool.Statistics.Duration.MeanUs;
            }
        }
    }

    public override int CreateOnMiss(in PoolView pool)
    {
        ResumeIfLate(pool);
        return _speculates ? Math.Min(1, pool.Missing) : 0;
    }

    public override KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        var ticket = slot.Ticket;
        var known = _idle.FindIndex(u => u.Ticket == ticket);
        var decision = base.Keep(pool, slot);
        if (decision == KeepDecision.LetGoNow)
        {
            if (known >= 0)
            {
                _idle.RemoveAt(known);
            }
        }
        else if (known < 0)
        {
            _idle.Add(new Unused(slot.Ticket, slot.SinceUs, slot.Uses == 0));
        }

        return decision;
    }

    public override StandbyPlan Standby(in PoolView pool)
    {
        // Instances that were lost are in the list no more than the pool has idle ones.
        if (_idle.Count > pool.Idle)
        {
            _idle.RemoveRange(0, _idle.Count - pool.Idle);
        }

        var plan = base.Standby(pool);
        if (_waiting.FirstUs(pool) is not { } firstUs || _speculates)
        {
            return plan;
        }

        if (!ResumeIfLate(pool))
        {
            return plan with { ReviewAtUs = firstUs + (long)pool.Statistics.ColdStartUs + 1 };
        }

        return plan with { CreateNow = pool.Missing };
    }

    private bool ResumeIfLate(in PoolView pool)
    {
        if (!_speculates && _waiting.FirstUs(pool) is { } firstUs && pool.NowUs - firstUs > pool.Statistics.ColdStartUs)
        {
            _speculates = true;
        }

        return _speculates;
    }

    private readonly record struct Unused(SlotTicket Ticket, long SinceUs, bool FirstUse);
}

/// <summary>Options of <see cref="CidrePolicy"/>.</summary>
public sealed record CidrePolicyOptions
{
    /// <summary>The memory that all instances together may take while any of them is idle, GB, 0.001 to 1,000,000.</summary>
    /// <value>The default is 31.25 GB, as for <see cref="GreedyDualPolicyOptions"/>.</value>
    public double MemoryGb { get; init; } = 31.25;

    internal CidrePolicyOptions Read(PolicyOptionReader reader) =>
        this with { MemoryGb = reader.Number("gb", MemoryGb, 0.001, 1_000_000, main: true) };
}
