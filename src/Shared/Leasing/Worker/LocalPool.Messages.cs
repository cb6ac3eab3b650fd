using FuncScaler.Leasing.Messages;

namespace FuncScaler.Leasing.Worker;

/// <summary>What goes to the ledger and what comes from it.</summary>
public partial class LocalPool
{
    private const int MaxHeld = 64;
    private const int UnansweredReports = 4;

    private readonly long _reportIntervalUs;
    private readonly Outbox _outbox = new();
    private readonly Dictionary<SlotTicket, (long Epoch, long Operation)> _returned = [];
    private long _sequence;
    private long _revision = -1;
    private long _acknowledged;
    private long _acknowledgedOperation;
    private long _leasesSeen;
    private long _releasesSeen;
    private int _waitingReported;
    private SlotPool? _reported;
    private long _learnedUs = long.MinValue;
    private long _learnedArrivals;
    private int _idleAtLedger;
    private int _provisioned;
    private long _askUntilUs = long.MinValue;
    private long _lookedUs = long.MinValue / 2;
    private long _lookUs = long.MaxValue;
    private long _lastReportUs = long.MinValue / 2;
    private long _lastReadUs = long.MinValue / 2;
    private long _readPauseUs;
    private long _urgentUs = long.MaxValue;
    private long _pendingUs = long.MaxValue;
    private long _activeUs = long.MaxValue;

    /// <summary>Whether a report may be sent: by a worker whose own ledger takes it for alive, or one that leaves.</summary>
    public bool MayReport(long nowUs) => _leaving || (_lease.IsKnown && !_lease.IsOver(nowUs));

    /// <summary>When a report is to be sent next, µs; <see cref="long.MaxValue"/> when there is nothing to tell.</summary>
    public long NextReportUs
    {
        get
        {
            var nextUs = long.MaxValue;
            if (_urgentUs != long.MaxValue)
            {
                nextUs = Math.Max(_urgentUs, _lastReportUs + _options.UrgentInterval.ToUs());
            }

            if (_pendingUs != long.MaxValue)
            {
                nextUs = Math.Min(nextUs, _pendingUs + _reportIntervalUs);
            }

            if (_activeUs != long.MaxValue)
            {
                nextUs = Math.Min(nextUs, _activeUs + _options.ActivityInterval.ToUs());
            }

            // What was sent and is not acknowledged may be lost.
            if (_acknowledged < _sequence && (_outbox.Count > 0 || _waitingReported > 0))
            {
                nextUs = Math.Min(nextUs, _lastReportUs + (UnansweredReports * _reportIntervalUs));
            }

            return nextUs;
        }
    }

    /// <summary>When the ledger is to be read next, µs; <see cref="long.MaxValue"/> when there is nothing to learn.</summary>
    public long NextReadUs
    {
        get
        {
            var nextUs = _lookUs;
            if (_sequence == 0)
            {
                return nextUs;
            }

            if (_acknowledged < _sequence || (_waitingReported > 0 && WaiterCount > 0))
            {
                nextUs = Math.Min(nextUs, Math.Max(_lastReadUs, _lastReportUs) + _readPauseUs);
            }

            foreach (var pool in Pools)
            {
                if (pool.BusyCount > 0)
                {
                    // An instance that is in use for long may have been released elsewhere.
                    var readUs = _options.ReadInterval.ToUs();
                    nextUs = Math.Min(nextUs, Math.Max(_lastReadUs, pool.LeasedInUse.Min(s => s.SinceUs)) + readUs);
                }
            }

            return nextUs;
        }
    }

    /// <summary>The first ticket of this worker's that the ledger may not know of although a slot may exist; <see cref="long.MaxValue"/> for none.</summary>
    public long FirstUnsettled
    {
        get
        {
            var first = _outbox.FirstTicket(_lease);
            foreach (var (ticket, lease) in _leases)
            {
                if (lease.Told > _acknowledgedOperation)
                {
                    first = Math.Min(first, ticket.Value);
                }
            }

            return first;
        }
    }

    /// <summary>The pool for which the ledger is asked: the one where the most requests wait.</summary>
    private SlotPool Neediest => _pools.HasFormer ? Pools.MaxBy(p => p.WaiterCount)! : Pool;

    /// <summary>What to tell the ledger now. Each call makes a new report: one that was not delivered need not be sent again.</summary>
    public WorkerReport TakeReport(long nowUs)
    {
        _reported = Neediest;
        var report = new WorkerReport
        {
            Worker = _lease.Worker,
            Sequence = ++_sequence,
            Function = _reported.Function.Runtime == UnknownRuntime ? null : _reported.Function,
            HoldUs = _holdUs,
            FirstOperation = _outbox.First,
            Operations = _outbox.AsOf(nowUs, _options.MaxOperations),
            Learned = IsLearnedDue(nowUs) ? Pool.WriteLearned(nowUs, WorkerReport.MostLearnedBytes) : null,
            LearnedArrivals = Pool.Statistics.Arrivals,
            Waiting = _leaving ? 0 : _reported.WantedInstances,
            Places = _reported.Places > 1 ? _reported.Places : 0,
            LeasesSeen = _leasesSeen,
            ReleasesSeen = _releasesSeen,
            Held = [.. Pools.SelectMany(p => p.LeasedInUse).Take(MaxHeld).Select(s => new HeldSlot(s.Ticket, s.Request))],
            Leaving = _leaving,
            Over = _lease.IsOver(nowUs),
        };
        var urgent = _urgentUs != long.MaxValue;
        _lastReportUs = nowUs;
        _urgentUs = long.MaxValue;
        _activeUs = long.MaxValue;
        _pendingUs = _outbox.Count > _options.MaxOperations ? nowUs : long.MaxValue;
        _waitingReported = report.Waiting;
        _readPauseUs = urgent ? _options.AnswerInterval.ToUs() : _options.ReadInterval.ToUs();
        return report;
    }

    /// <summary>Whether this report tells what was learned; the next one then does not.</summary>
    private bool IsLearnedDue(long nowUs)
    {
        var arrivals = Pool.Statistics.Arrivals;
        if (_learnedUs == long.MinValue && !_leaving)
        {
            // Not from a few requests.
            _learnedUs = nowUs;
        }

        if (Function.Runtime == UnknownRuntime || arrivals == _learnedArrivals || (!_leaving && nowUs < _learnedUs + _options.LearnedInterval.ToUs()))
        {
            return false;
        }

        (_learnedUs, _learnedArrivals) = (nowUs, arrivals);
        return true;
    }

    /// <summary>The ledger is being read now; <see cref="NextReadUs"/> moves on.</summary>
    public void ReadBegun(long nowUs)
    {
        _lastReadUs = nowUs;
        _lookUs = long.MaxValue;
        _readPauseUs = Math.Min(2 * Math.Max(_readPauseUs, _options.AnswerInterval.ToUs()), _options.ReadInterval.ToUs());
    }

    /// <summary>What the ledger says. Views older than the last one change nothing.</summary>
    public void Receive(long nowUs, LedgerView view, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(view);
        if (view.Revision <= _revision || view.Worker != _lease.Worker)
        {
            _lookedUs = nowUs;
            return;
        }

        _revision = view.Revision;
        _lookedUs = nowUs;
        (_idleAtLedger, _provisioned) = (view.Idle, view.Provisioned);
        Pool.CostAtLedger = view.LimitsCost;
        Acknowledge(view);
        var mine = new HashSet<SlotTicket>(view.Tickets);
        mine.UnionWith(view.Leases.Select(l => l.Ticket));
        CheckLease(nowUs);

        // First what is not ours any more.
        foreach (var slot in Known(view).Where(s => !AwaitsLedger(s)).ToList())
        {
            if (!mine.Contains(slot.Ticket))
            {
                Lose(nowUs, slot.Ticket, effects);
            }
        }

        var joined = new HashSet<SlotPool>();
        foreach (var lease in view.Leases)
        {
            if (Join(nowUs, lease, effects) is { } pool)
            {
                joined.Add(pool);
            }
        }

        foreach (var release in view.Releases.Where(r => r.Number > _releasesSeen))
        {
            _releasesSeen = release.Number;
            Pending(nowUs);
            if (TicketSpace.TryParse(release.Instance, _options.Pool.InstancePrefix, out var ticket) && _leases.ContainsKey(ticket))
            {
                ReleaseHere(nowUs, release.Request, release.Instance, new ReleaseResult(release.DurationUs, release.NeedDestroy), effects);
            }
        }

        foreach (var slot in Known(view).Where(AwaitsLedger).ToList())
        {
            var pool = _pools.PoolOf(slot.Ticket);
            if (!mine.Contains(slot.Ticket))
            {
                Refused(nowUs, pool, slot.Ticket, joined.Contains(pool), effects);
            }
            else if (pool.WaiterCount == 0 && !slot.Standby)
            {
                GiveBack(nowUs, slot, ReturnKind.Absent, null);
                Lose(nowUs, slot.Ticket, effects);
            }
            else if (!_leaving && !_wanted.Contains(slot.Ticket))
            {
                _askUntilUs = long.MinValue;
                _wanted.Add(slot.Ticket);
            }
        }

        if (_idleAtLedger == 0 || joined.Count > 0)
        {
            // There is nothing (more) to wait for.
            _askUntilUs = _idleAtLedger == 0 ? long.MinValue : _askUntilUs;
            DropSurplus(nowUs, effects);
        }
        else if (WaiterCount > 0 && _waitingReported == 0)
        {
            Urgent(nowUs);
        }

        Follow(nowUs, effects);
    }

    /// <summary>Whether a slot waits for the ledger's word, as the number of slots is limited.</summary>
    private bool AwaitsLedger(Slot slot) =>
        slot.State == SlotState.Held && _leases[slot.Ticket] is { Allowed: false, Told: not Untold } && !_wanted.Contains(slot.Ticket);

    /// <summary>What was to be created and is not needed any more, as instances have come from elsewhere.</summary>
    private void DropSurplus(long nowUs, List<Effect> effects)
    {
        foreach (var ticket in _wanted.ToList())
        {
            if (!_pools.PoolOf(ticket).KeepHeldCreate(nowUs, ticket, effects))
            {
                _wanted.Remove(ticket);
            }
        }
    }

    /// <summary>Whether a miss does well to ask the ledger before it creates: it is known to have idle instances.</summary>
    private bool MayAsk(SlotPool pool, long nowUs)
    {
        if (_reported is not null && !_reported.Fits(pool.Function.MemoryMb, pool.Function.Runtime))
        {
            // What the ledger has is of other settings.
            return false;
        }

        if (_lookedUs + _options.RestAfter.ToUs() <= nowUs)
        {
            // Not looked for long: looked now, and created meanwhile.
            _lookUs = Math.Min(_lookUs, nowUs);
            return false;
        }

        return _idleAtLedger > 0;
    }

    /// <summary>The slots of which the ledger had heard when it made a view.</summary>
    private IEnumerable<Slot> Known(LedgerView view) => Leased.Where(s => _leases[s.Ticket].Told <= view.Operation);

    private void Acknowledge(LedgerView view)
    {
        _outbox.Acknowledge(view.Operation);
        _acknowledgedOperation = Math.Max(_acknowledgedOperation, view.Operation);
        foreach (var (ticket, _) in _returned.Where(r => r.Value.Operation <= view.Operation).ToList())
        {
            _returned.Remove(ticket);
        }

        _acknowledged = Math.Max(_acknowledged, view.Sequence);
    }

    /// <summary>A slot leased to this worker, unless it is known already or has been given back since: returns the pool that it has joined.</summary>
    private SlotPool? Join(long nowUs, LeaseGrant lease, List<Effect> effects)
    {
        _leasesSeen = Math.Max(_leasesSeen, lease.Ordinal);
        if (_leases.ContainsKey(lease.Ticket) || _dying.ContainsKey(lease.Ticket)
            || (_returned.TryGetValue(lease.Ticket, out var returned) && !IsLaterLease(lease.Epoch, returned.Epoch)))
        {
            return null;
        }

        if (_leaving || _pools.Fitting(lease.MemoryMb, lease.Runtime) is not { } pool)
        {
            GiveBack(nowUs, lease.Ticket, lease.Epoch, ReturnKind.Idle, lease.Uses, sinceUs: nowUs);
            return null;
        }

        _leases.Add(lease.Ticket, new Lease { Epoch = lease.Epoch });
        if (!pool.Join(nowUs, lease.Ticket, lease.BackendSlot, lease.Instance, lease.Uses, effects, lease.Address))
        {
            _leases.Remove(lease.Ticket);
            GiveBack(nowUs, lease.Ticket, lease.Epoch, ReturnKind.Broken, lease.Uses, "its backend slot is in use under another ticket");
            return null;
        }

        return pool;
    }

    /// <summary>The ledger does not hold the slot for this worker any more.</summary>
    private void Lose(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        _leases.Remove(ticket);
        _pools.PoolOf(ticket).Withdraw(nowUs, ticket, effects);
    }

    /// <summary>The ledger has leased an idle slot instead of entering the ticket, or the function has as many slots as it may.</summary>
    private void Refused(long nowUs, SlotPool pool, SlotTicket ticket, bool joined, List<Effect> effects)
    {
        if (joined || pool.WaiterCount == 0)
        {
            Lose(nowUs, ticket, effects);
            return;
        }

        _leases.Remove(ticket);
        pool.SlotFailed(nowUs, ticket, new SlotFailure(FailureKind.Throttled, "the function has as many slots as it may have"), effects);
    }

    /// <summary>Adds an operation; returns its number.</summary>
    private long Enqueue(long nowUs, WorkerOperation operation, long atUs = 0)
    {
        Pending(nowUs);
        return _outbox.Add(operation, atUs);
    }

    /// <summary>Requests that wait are told at once where the ledger may have something for them, else with the next report; fewer likewise.</summary>
    private void TellOfWaiting(long nowUs)
    {
        var waiting = Neediest.WantedInstances;
        var switched = waiting > 0 && _reported is not null && Neediest != _reported;
        if ((waiting > _waitingReported || switched) && (_idleAtLedger > 0 || IsLimited))
        {
            Urgent(nowUs);
        }
        else if (waiting != _waitingReported || switched)
        {
            Pending(nowUs);
        }
    }

    private void Pending(long nowUs) => _pendingUs = Math.Min(_pendingUs, nowUs);

    private void Urgent(long nowUs) => _urgentUs = Math.Min(_urgentUs, nowUs);
}
