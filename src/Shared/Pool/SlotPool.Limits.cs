namespace FuncScaler.Pool;

/// <summary>
/// An operator's limits: the one place where they meet what the policy wants. The floor is made up for after each event, and holds idle instances;
/// the ceiling is asked before each creation, and lets idle instances go.
/// </summary>
public sealed partial class SlotPool
{
    /// <summary>The most instances that are created at one time because of limits; the next events go on.</summary>
    private const int MostForLimits = 64;

    /// <summary>How much longer than the mean start an instance is made ahead of an expected request.</summary>
    private const double StartMargin = 1.25;

    /// <summary>The limits in force.</summary>
    public FunctionLimits Limits { get; private set; } = FunctionLimits.None;

    /// <summary>The most requests that an instance may serve at a time, whatever executions do meanwhile.</summary>
    public int Concurrency => Limits.Concurrency ?? Function.MaxConcurrency;

    /// <summary>The most slots at a time; 0 for no limit.</summary>
    private int MostSlots => Limits.MaxInstances == 0 ? _options.MaxSlots
        : _options.MaxSlots == 0 ? Limits.MaxInstances
        : Math.Min(Limits.MaxInstances, _options.MaxSlots);

    private bool IsFull => MostSlots > 0 && _inventory.Count >= MostSlots;

    /// <summary>Instances that there are, or that are under way.</summary>
    private int Instances => BusyCount - _inventory.Doomed + IdleCount + InFlightCount;

    /// <summary>How many instances are missing to the floor, and to what is expected. A pool of former settings only runs down.</summary>
    private int BelowFloor => IsFormer || _draining ? 0
        : Math.Clamp(Math.Max(Limits.MinInstances - Instances, MissingToExpected), 0, MostForLimits);

    /// <summary>Whether an idle instance has to stay: without it there would be fewer than the floor, or places than requests that are expected.</summary>
    private bool FloorHolds => !IsFormer && !_draining && (BusyCount - _inventory.Doomed + IdleCount <= Limits.MinInstances || ExpectedHolds);

    /// <summary>Places in ready instances that nobody has; fewer are counted while requests hold what is to be destroyed.</summary>
    private int FreePlaces => (IdleCount * Places) + Math.Max(0, ((BusyCount - _inventory.Doomed) * Places) - ExecutingCount);

    private int MissingToExpected => Expected?.Wanted is > 0 and var wanted
        ? (wanted + Places - 1 - (FreePlaces + (InFlightCount * Places) - _line.Count)) / Places
        : 0;

    private bool ExpectedHolds => Expected?.Wanted is > 0 and var wanted && FreePlaces - Places < wanted;

    private int _wantedBefore;

    /// <summary>Whether there are more instances than the ceiling lets be.</summary>
    private bool IsAboveCeiling => Limits.MaxInstances > 0 && Instances > Limits.MaxInstances;

    private double _floorMbUs;
    private long _ceilingWaitUs;

    /// <summary>What a ledger says that its floor and ceiling have cost, of all workers together; null for nothing, and without one.</summary>
    internal LimitsCost? CostAtLedger { get; set; }

    /// <summary>What the limits have cost so far against what the policy would have done; null where there never was a floor, a ceiling or a group.</summary>
    public LimitsCost? LimitsCost(long nowUs)
    {
        if (Limits is { MinInstances: 0, MaxInstances: 0 } && Expected is null && _floorMbUs == 0 && _ceilingWaitUs == 0)
        {
            return CostAtLedger;
        }

        var now = Math.Max(nowUs, _nowUs);
        var mbUs = _floorMbUs;
        for (var i = 0; i < IdleCount; i++)
        {
            var slot = _inventory.IdleAt(i);
            mbUs += Math.Max(0.0, now - slot.HeldByFloorUs) * slot.MemoryMb;
        }

        return new LimitsCost(
            (mbUs / 1024 / 1e6) + (CostAtLedger?.FloorGbSeconds ?? 0),
            ((_ceilingWaitUs + (WaitsForCeiling ? (now - _nowUs) * _line.Count : 0)) / 1e6) + (CostAtLedger?.CeilingWaitSeconds ?? 0));
    }

    private bool WaitsForCeiling => Limits.MaxInstances > 0 && _line.Count > 0 && IsFull;

    /// <summary>The floor holds an instance; from when on the policy would not.</summary>
    /// <returns>When the policy is asked again, µs: at the latest when an expected request is given up.</returns>
    private long BeginFloor(Slot slot, long policyUntilUs)
    {
        if (policyUntilUs > _nowUs)
        {
            return policyUntilUs;
        }

        slot.HeldByFloorUs = _nowUs;
        return Expected?.NextEndUs ?? long.MaxValue;
    }

    /// <summary>The requests that are expected because of the function's groups; null where it is in none.</summary>
    internal ExpectedRequests? Expected { get; set; }

    /// <summary>Other requests are expected from now on.</summary>
    internal void Expect(long nowUs, ExpectedRequests? expected, List<Effect> effects)
    {
        if (expected is null && Expected is null)
        {
            return;
        }

        Advance(nowUs);
        Expected = expected;
        if (_delaysRead is not null && expected is not null)
        {
            expected.TakeIn(_delaysRead);
            _delaysRead = null;
        }

        Settle(effects);
        FollowExpected(effects);
    }

    /// <summary>How long an instance takes to start, µs; <see cref="long.MaxValue"/> while that is not known.</summary>
    internal long StartsInUs => Statistics.Init.Count == 0 ? long.MaxValue : (long)(Statistics.ColdStartUs * StartMargin);

    /// <summary>Where fewer requests are expected than before, the idle instances that only the floor holds are looked at again.</summary>
    private void FollowExpected(List<Effect> effects)
    {
        var wanted = Expected?.Wanted ?? 0;
        var fewer = wanted < _wantedBefore;
        _wantedBefore = wanted;
        for (var i = 0; fewer && i < IdleCount;)
        {
            var idle = IdleCount;
            if (_inventory.IdleAt(i) is var slot && slot.HeldByFloorUs != long.MaxValue)
            {
                DestroyUnlessKept(slot, depth: IdleCount - i, "the requests that were expected have come, or have not", effects);
            }

            i += idle == IdleCount ? 1 : 0;
        }
    }

    private void EndFloor(Slot slot)
    {
        if (slot.HeldByFloorUs != long.MaxValue)
        {
            _floorMbUs += (double)(_nowUs - slot.HeldByFloorUs) * slot.MemoryMb;
            slot.HeldByFloorUs = long.MaxValue;
        }
    }

    /// <summary>Limits from now on.</summary>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void SetLimits(long nowUs, FunctionLimits limits, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(limits);
        limits.Validate();
        Advance(nowUs);
        if (limits == Limits)
        {
            return;
        }

        var wasFull = IsFull;
        Limits = limits;
        _latencyPriceGbs = limits.LatencyPriceGbs ?? _options.PriceGbs(Function.Key);
        var places = Places;
        SetPlaces();
        ServeNewPlaces(places, effects);

        // Idle instances are held for as long as the former floor was there; those unused for the longest go first.
        for (var i = 0; i < IdleCount;)
        {
            var idle = IdleCount;
            DestroyUnlessKept(_inventory.IdleAt(i), depth: IdleCount - i, "its function's limits have changed", effects);
            i += idle == IdleCount ? 1 : 0;
        }

        // Those who wait for a place under the former ceiling get instances under the new one.
        if (wasFull && !IsFull && !FailsFast)
        {
            CreateOrOwe(Math.Clamp(Missing, 0, MostForLimits), effects);
        }

        Settle(effects);
    }
}
