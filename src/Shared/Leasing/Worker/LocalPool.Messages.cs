using FuncScaler.Leasing.Messages;

namespace FuncScaler.Leasing.Worker;

/// <summary>What goes to the ledger and what comes from it.</summary>
public partial class LocalPool
{
    private const int MaxHeld = 64;
    private const int MaxSent = 128;

    private readonly long _reportIntervalUs;
    private readonly long _workerLeaseUs;
    private readonly Outbox _outbox = new();
    private readonly List<(long Sequence, long SentUs)> _sent = [];
    private readonly Dictionary<SlotTicket, (long Epoch, long Operation)> _returned = [];
    private long _sequence;
    private long _revision = -1;
    private long _acknowledged;
    private long _leasesSeen;
    private long _releasesSeen;
    private int _waitingReported;
    private long _lastReportUs = long.MinValue / 2;
    private long _lastReadUs = long.MinValue / 2;
    private long _urgentUs = long.MaxValue;
    private long _pendingUs = long.MaxValue;

    /// <summary>When a report is to be sent next, µs; <see cref="long.MaxValue"/> when there is nothing to tell and no lease to keep.</summary>
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

            // What was sent and is not acknowledged may be lost.
            if (_acknowledged < _sequence && (_outbox.Count > 0 || _leases.Count > 0 || _waitingReported > 0))
            {
                nextUs = Math.Min(nextUs, _lastReportUs + _reportIntervalUs);
            }

            if (_leases.Count > 0 && _sequence > 0)
            {
                nextUs = Math.Min(nextUs, _lastReportUs + Math.Max(_reportIntervalUs, _workerLeaseUs / 3));
            }

            return nextUs;
        }
    }

    /// <summary>When the ledger is to be read next, µs; <see cref="long.MaxValue"/> when there is nothing to learn.</summary>
    public long NextReadUs
    {
        get
        {
            if (_sequence == 0)
            {
                return long.MaxValue;
            }

            if (_pool.WaiterCount > 0 || _pool.InFlightCount > _pool.InitializingCount)
            {
                return Math.Max(_lastReadUs, _lastReportUs) + _options.AnswerInterval.ToUs();
            }

            return _acknowledged < _sequence || _outbox.Count > 0 || _pool.BusyCount > 0
                ? _lastReadUs + _options.ReadInterval.ToUs()
                : long.MaxValue;
        }
    }

    /// <summary>What to tell the ledger now. Each call makes a new report: one that was not delivered need not be sent again.</summary>
    public WorkerReport TakeReport(long nowUs)
    {
        var report = new WorkerReport
        {
            Worker = _worker,
            Sequence = ++_sequence,
            Function = Function.Runtime == UnknownRuntime ? null : Function,
            FirstOperation = _outbox.First,
            Operations = _outbox.AsOf(nowUs, _options.MaxOperations),
            Waiting = _leaving ? 0 : _pool.WaiterCount,
            LeasesSeen = _leasesSeen,
            ReleasesSeen = _releasesSeen,
            Held = [.. _pool.LeasedInUse.Take(MaxHeld).Select(s => new HeldSlot(s.Ticket, s.Request))],
            Leaving = _leaving,
        };
        if (_sent.Count == MaxSent)
        {
            _sent.RemoveAt(0);
        }

        _sent.Add((_sequence, nowUs));
        _lastReportUs = nowUs;
        _urgentUs = long.MaxValue;
        _pendingUs = _outbox.Count > _options.MaxOperations ? nowUs : long.MaxValue;
        _waitingReported = report.Waiting;
        return report;
    }

    /// <summary>The ledger is being read now; <see cref="NextReadUs"/> moves on.</summary>
    public void ReadBegun(long nowUs) => _lastReadUs = nowUs;

    /// <summary>What the ledger says. Views older than the last one change nothing.</summary>
    public void Receive(long nowUs, LedgerView view, List<Effect> effects)
    {
        ArgumentNullException.ThrowIfNull(view);
        if (view.Revision <= _revision || view.Worker != _worker)
        {
            return;
        }

        _revision = view.Revision;
        Acknowledge(nowUs, view);
        var mine = new HashSet<SlotTicket>(view.Tickets);
        mine.UnionWith(view.Leases.Select(l => l.Ticket));
        CheckLease(nowUs);

        // First what is not ours any more: it may have been idle all the time that the lease was over.
        foreach (var slot in Known(view).Where(s => s.State != SlotState.Held).ToList())
        {
            if (!mine.Contains(slot.Ticket))
            {
                Lose(nowUs, slot.Ticket, effects);
            }
            else if (slot.State == SlotState.Creating && nowUs - slot.AskedUs > 2 * _options.Pool.CreateTimeout.ToUs())
            {
                // The pool counts on it no more, and even a very late answer would have come.
                GiveBack(nowUs, slot, ReturnKind.Unknown, "the backend does not answer CreateSlot");
                Lose(nowUs, slot.Ticket, effects);
            }
        }

        var resumed = nowUs < _leaseUntilUs && _pool.Suspended;
        if (resumed)
        {
            _pool.Resume(nowUs, effects);
        }

        var joined = false;
        foreach (var lease in view.Leases)
        {
            joined |= Join(nowUs, lease, effects);
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

        foreach (var slot in Known(view).Where(s => s.State == SlotState.Held).ToList())
        {
            if (!mine.Contains(slot.Ticket))
            {
                Refused(nowUs, slot.Ticket, joined, effects);
            }
            else if (resumed && _pool.WaiterCount == 0)
            {
                // Wanted only because there was no lease.
                GiveBack(nowUs, slot, ReturnKind.Absent, null);
                Lose(nowUs, slot.Ticket, effects);
            }
            else if (nowUs < _leaseUntilUs && !_leaving)
            {
                _pool.BeginCreate(nowUs, slot.Ticket);
                effects.Add(Effect.CreateSlot(Function, slot.Ticket, slot.MemoryMb));
            }
        }

        TellOfWaiting(nowUs);
    }

    /// <summary>The slots of which the ledger had heard when it made a view.</summary>
    private IEnumerable<Slot> Known(LedgerView view) => _pool.Leased.Where(s => _leases[s.Ticket].Intent <= view.Operation);

    private void Acknowledge(long nowUs, LedgerView view)
    {
        _outbox.Acknowledge(view.Operation);
        foreach (var (ticket, _) in _returned.Where(r => r.Value.Operation <= view.Operation).ToList())
        {
            _returned.Remove(ticket);
        }

        if (view.Sequence > _acknowledged)
        {
            _acknowledged = view.Sequence;
            foreach (var (sequence, sentUs) in _sent)
            {
                if (sequence == view.Sequence)
                {
                    _leaseUntilUs = Math.Max(_leaseUntilUs, LeaseBeginUs(sentUs, nowUs) + _workerLeaseUs);
                }
            }

            _sent.RemoveAll(s => s.Sequence <= view.Sequence);
        }
    }

    /// <summary>A slot leased to this worker, unless it is known already or has been given back since.</summary>
    private bool Join(long nowUs, LeaseGrant lease, List<Effect> effects)
    {
        _leasesSeen = Math.Max(_leasesSeen, lease.Ordinal);
        if (_leases.ContainsKey(lease.Ticket)
            || (_returned.TryGetValue(lease.Ticket, out var returned) && !IsLaterLease(lease.Epoch, returned.Epoch)))
        {
            return false;
        }

        if (lease.MemoryMb != Function.MemoryMb || lease.Runtime != Function.Runtime || _leaving)
        {
            GiveBack(nowUs, lease.Ticket, lease.Epoch, ReturnKind.Idle, lease.Uses, sinceUs: nowUs);
            return false;
        }

        _leases.Add(lease.Ticket, new Lease { Epoch = lease.Epoch });
        if (!_pool.Join(nowUs, lease.Ticket, lease.BackendSlot, lease.Instance, lease.Uses, effects, lease.Address))
        {
            _leases.Remove(lease.Ticket);
            GiveBack(nowUs, lease.Ticket, lease.Epoch, ReturnKind.Broken, lease.Uses, "its backend slot is in use under another ticket");
            return false;
        }

        return true;
    }

    /// <summary>The ledger does not hold the slot for this worker any more.</summary>
    private void Lose(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        _leases.Remove(ticket);
        _pool.Withdraw(nowUs, ticket, effects);
    }

    /// <summary>The ledger has leased an idle slot instead of entering the ticket, or the function has as many slots as it may.</summary>
    private void Refused(long nowUs, SlotTicket ticket, bool joined, List<Effect> effects)
    {
        if (joined || _pool.WaiterCount == 0)
        {
            Lose(nowUs, ticket, effects);
            return;
        }

        _leases.Remove(ticket);
        _pool.SlotFailed(nowUs, ticket, new SlotFailure(FailureKind.Throttled, "the function has as many slots as it may have"), effects);
    }

    /// <summary>Adds an operation; returns its number.</summary>
    private long Enqueue(long nowUs, WorkerOperation operation, long atUs = 0)
    {
        Pending(nowUs);
        return _outbox.Add(operation, atUs);
    }

    /// <summary>More requests that wait than were reported are told at once, fewer with the next report.</summary>
    private void TellOfWaiting(long nowUs)
    {
        if (_pool.WaiterCount > _waitingReported)
        {
            Urgent(nowUs);
        }
        else if (_pool.WaiterCount < _waitingReported)
        {
            Pending(nowUs);
        }
    }

    private void Pending(long nowUs) => _pendingUs = Math.Min(_pendingUs, nowUs);

    private void Urgent(long nowUs) => _urgentUs = Math.Min(_urgentUs, nowUs);
}
