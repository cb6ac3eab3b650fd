using FuncScaler.SlotBackends.Budget;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>
/// What each region still grants: calls by token buckets, room by counting the groups that exist or are about to. Safe for concurrent use.
/// </summary>
internal sealed class AciBudget : ICallBudget
{
    /// <summary>How soon to look again for room: a group that goes frees some, and nobody says so.</summary>
    private static readonly TimeSpan RoomPause = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly AciOptions _options;
    private readonly AciNames _names;
    private readonly TimeProvider _time;
    private readonly long _origin;
    private readonly Dictionary<string, Region> _regions;
    private readonly Dictionary<SlotTicket, AciPlace> _reserved = [];
    private readonly Dictionary<BackendSlotId, (AciPlace Place, double Cores)> _groups = [];

    public AciBudget(AciOptions options, AciNames names, TimeProvider time)
    {
        _options = options;
        _names = names;
        _time = time;
        _origin = time.GetTimestamp();
        _regions = options.Places.Select(p => p.Region).Distinct().ToDictionary(
            r => r,
            _ => new Region(new TokenBuckets(options.CreateLimits, time), new TokenBuckets(options.DeleteLimits, time)));
    }

    public CreateBudget Creates
    {
        get
        {
            lock (_gate)
            {
                return new CreateBudget(
                    _regions.Values.Sum(r => Math.Max(0, Math.Min(r.Creates.Remaining, _options.MaxGroupsPerRegion - r.Groups))),
                    _regions.Values.Sum(r => r.Creates.Capacity),
                    _regions.Values.Sum(r => r.Creates.PerSecond));
            }
        }
    }

    public bool TryTakeCreate(SlotTicket ticket, FunctionMeta function, out TimeSpan wait)
    {
        wait = TimeSpan.Zero;
        AciSize size;
        try
        {
            size = AciSize.Of(_options, function);
        }
        catch (SlotBackendException)
        {
            // It will never fit: waiting does not help, and creating says why.
            return true;
        }

        lock (_gate)
        {
            if (_reserved.ContainsKey(ticket))
            {
                return true;
            }

            var shortest = TimeSpan.MaxValue;
            foreach (var place in _options.Places)
            {
                var region = _regions[place.Region];
                if (region.FullUntil > Now)
                {
                    wait = region.FullUntil - Now;
                }
                else if (region.Groups >= _options.MaxGroupsPerRegion || region.Cores + size.QuotaCores > _options.MaxCoresPerRegion)
                {
                    wait = RoomPause;
                }
                else if (region.Creates.TryTake(out wait))
                {
                    _reserved.Add(ticket, place);
                    Add(AciNames.IdOf(place, _names.NameOf(ticket)), place, size.QuotaCores);
                    return true;
                }

                shortest = wait < shortest ? wait : shortest;
            }

            wait = shortest;
            return false;
        }
    }

    public bool TryTakeDestroy(SlotTicket ticket, BackendSlotId slot, out TimeSpan wait) => RegionOf(ticket, slot).Deletes.TryTake(out wait);

    /// <summary>Where a ticket's group goes; null when nothing was reserved for it.</summary>
    public AciPlace? PlaceOf(SlotTicket ticket)
    {
        lock (_gate)
        {
            return _reserved.GetValueOrDefault(ticket);
        }
    }

    /// <summary>The ticket's group does not exist, or not any more.</summary>
    /// <param name="ticket">The ticket; of an adopted group another than in its name.</param>
    /// <param name="slot">The group; empty where only the ticket is known.</param>
    public void Gone(SlotTicket ticket, BackendSlotId slot)
    {
        lock (_gate)
        {
            if (_reserved.Remove(ticket, out var place))
            {
                Remove(AciNames.IdOf(place, _names.NameOf(ticket)));
            }

            Remove(slot);
        }
    }

    /// <summary>The platform has a group that takes room: one of ours that was found, or somebody else's.</summary>
    public void Found(BackendSlotId slot, AciPlace place, double cores)
    {
        lock (_gate)
        {
            if (!_groups.ContainsKey(slot))
            {
                Add(slot, place, Math.Max(1, cores));
            }
        }
    }

    /// <summary>The platform says that it takes no more creations for now.</summary>
    public void CreatesThrottled(AciPlace place, TimeSpan? retryAfter) => _regions[place.Region].Creates.StopFor(retryAfter ?? _options.FullPause);

    /// <summary>The platform says that it takes no more deletions for now.</summary>
    public void DeletesThrottled(AciPlace place, TimeSpan? retryAfter) => _regions[place.Region].Deletes.StopFor(retryAfter ?? _options.FullPause);

    /// <summary>The region has no room, whatever was counted here.</summary>
    public void Full(AciPlace place)
    {
        lock (_gate)
        {
            _regions[place.Region].FullUntil = Now + _options.FullPause;
        }
    }

    private TimeSpan Now => _time.GetElapsedTime(_origin);

    private Region RegionOf(SlotTicket ticket, BackendSlotId slot)
    {
        lock (_gate)
        {
            var place = _reserved.GetValueOrDefault(ticket)
                ?? (slot != default && _groups.TryGetValue(slot, out var group) ? group.Place : _options.Places[0]);
            return _regions[place.Region];
        }
    }

    private void Add(BackendSlotId slot, AciPlace place, double cores)
    {
        _groups[slot] = (place, cores);
        var region = _regions[place.Region];
        region.Groups++;
        region.Cores += cores;
    }

    private void Remove(BackendSlotId slot)
    {
        if (_groups.Remove(slot, out var group))
        {
            var region = _regions[group.Place.Region];
            region.Groups--;
            region.Cores -= group.Cores;
        }
    }

    private sealed class Region(TokenBuckets creates, TokenBuckets deletes)
    {
        public TokenBuckets Creates { get; } = creates;

        public TokenBuckets Deletes { get; } = deletes;

        public int Groups { get; set; }

        public double Cores { get; set; }

        /// <summary>Until when it is passed over, counted from the budget's beginning.</summary>
        public TimeSpan FullUntil { get; set; }
    }
}
