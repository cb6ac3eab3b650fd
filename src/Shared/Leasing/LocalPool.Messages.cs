namespace FuncScaler.Leasing;

/// <summary>What goes to the ledger and what comes from it.</summary>
public sealed partial class LocalPool
{
    private const int MaxActivity = 512;
    private const int MaxHeld = 64;
    private const int MaxSent = 128;

    private readonly List<(WorkerOperation Operation, long AtUs)> _outbox = [];
    private readonly List<(long Sequence, long SentUs)> _sent = [];
    private readonly Dictionary<SlotTicket, (long Epoch, long Operation)> _returned = [];
    private readonly List<long> _came = [];
    private readonly List<(long AtUs, long ExecutedUs)> _went = [];
    private long _firstOperation = 1;
    private long _sequence;
    private long _revision = -1;
    private long _acknowledged;
    private long _leasesSeen;
    private long _releasesSeen;
    private int _unrecorded;
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
                nextUs = Math.Max(_urgentUs, _lastReportUs + _options.UrgentIntervalUs);
            }

            if (_pendingUs != long.MaxValue)
            {
                nextUs = Math.Min(nextUs, _pendingUs + _options.ReportIntervalUs);
            }

            // What was sent and is not acknowledged may be lost.
            if (_acknowledged < _sequence && (_outbox.Count > 0 || _slots.Count > 0 || _waitingReported > 0))
            {
                nextUs = Math.Min(nextUs, _lastReportUs + _options.ReportIntervalUs);
            }

            if (_slots.Count > 0 && _sequence > 0)
            {
                nextUs = Math.Min(nextUs, _lastReportUs + Math.Max(_options.ReportIntervalUs, _options.WorkerLeaseUs / 3));
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
                return Math.Max(_lastReadUs, _lastReportUs) + _options.AnswerIntervalUs;
            }

            return _acknowledged < _sequence || _outbox.Count > 0 || _pool.BusyCount > 0
                ? _lastReadUs + _options.ReadIntervalUs
                : long.MaxValue;
        }
    }

    /// <summary>What to tell the ledger now. Each call makes a new report: one that was not delivered need not be sent again.</summary>
    public WorkerReport TakeReport(long nowUs)
    {
        if (_outbox.Count >= _options.MaxOperations)
        {
            // The ledger has not been reached for long: statistics are the first to go.
            _came.Clear();
            _went.Clear();
        }

        if (_came.Count > 0 || _went.Count > 0)
        {
            Enqueue(nowUs, new WorkerOperation
            {
                Kind = WorkerOperationKind.Activity,
                Activity = new Activity
                {
                    CameUs = [.. _came],
                    WentUs = [.. _went.Select(w => w.AtUs)],
                    ExecutedUs = [.. _went.Select(w => w.ExecutedUs)],
                },
            });
            _came.Clear();
            _went.Clear();
        }

        var report = new WorkerReport
        {
            Worker = _worker,
            Sequence = ++_sequence,
            Function = Function.Runtime == UnknownRuntime ? null : Function,
            FirstOperation = _firstOperation,
            Operations = [.. _outbox.Take(_options.MaxOperations).Select(o => AsOf(nowUs, o.Operation, o.AtUs))],
            Waiting = _leaving ? 0 : _pool.WaiterCount,
            LeasesSeen = _leasesSeen,
            ReleasesSeen = _releasesSeen,
            Held = [.. _slots.Where(s => s.Value.Holder is not null).Take(MaxHeld).Select(s => new HeldSlot(s.Key, s.Value.Holder!.Value))],
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
        foreach (var (ticket, slot) in _slots.Where(s => s.Value.Phase != LocalPhase.Intended && s.Value.Intent <= view.Operation).ToList())
        {
            if (!mine.Contains(ticket))
            {
                Lose(nowUs, ticket, effects);
            }
            else if (slot.Phase == LocalPhase.Creating && nowUs - slot.AskedUs > 2 * _options.Pool.CreateTimeoutUs)
            {
                // The pool counts on it no more, and even a very late answer would have come.
                GiveBack(nowUs, ticket, slot, ReturnKind.Unknown, "the backend does not answer CreateSlot");
                Lose(nowUs, ticket, effects);
            }
        }

        var resumed = nowUs < _leaseUntilUs && _pool.Suspended;
        if (resumed)
        {
            var before = Requests;
            _pool.Resume(nowUs, _poolEffects);
            Finish(nowUs, before, effects);
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
            if (TicketSpace.TryParse(release.Instance, _options.Pool.InstancePrefix, out var ticket) && _slots.TryGetValue(ticket, out var held))
            {
                ReleaseHere(nowUs, held, release.Request, release.Instance, new ReleaseResult(release.DurationUs, release.NeedDestroy), effects);
            }
        }

        foreach (var (ticket, slot) in _slots.Where(s => s.Value.Phase == LocalPhase.Intended && s.Value.Intent <= view.Operation).ToList())
        {
            if (!mine.Contains(ticket))
            {
                Refused(nowUs, ticket, joined, effects);
            }
            else if (resumed && _pool.WaiterCount == 0)
            {
                // Wanted only because there was no lease.
                GiveBack(nowUs, ticket, slot, ReturnKind.Absent, null);
                Lose(nowUs, ticket, effects);
            }
            else if (nowUs < _leaseUntilUs && !_leaving)
            {
                Create(nowUs, ticket, slot, effects);
            }
        }
    }

    private void Acknowledge(long nowUs, LedgerView view)
    {
        var applied = (int)Math.Clamp(view.Operation - _firstOperation + 1, 0, _outbox.Count);
        _outbox.RemoveRange(0, applied);
        _firstOperation += applied;
        foreach (var (ticket, _) in _returned.Where(r => r.Value.Operation <= view.Operation).ToList())
        {
            _returned.Remove(ticket);
        }

        if (view.Sequence > _acknowledged)
        {
            _acknowledged = view.Sequence;
            foreach (var (sequence, sentUs) in _sent)
            {
                // The lease counts from before the report was sent: the ledger's counts from when it came.
                if (sequence == view.Sequence)
                {
                    _leaseUntilUs = Math.Max(_leaseUntilUs, (_options.Fault == LeasingFault.LeaseFromAnswer ? nowUs : sentUs) + _options.WorkerLeaseUs);
                }
            }

            _sent.RemoveAll(s => s.Sequence <= view.Sequence);
        }
    }

    /// <summary>A slot leased to this worker, unless it is known already or has been given back since.</summary>
    private bool Join(long nowUs, LeaseGrant lease, List<Effect> effects)
    {
        _leasesSeen = Math.Max(_leasesSeen, lease.Ordinal);
        if (_slots.ContainsKey(lease.Ticket)
            || (_returned.TryGetValue(lease.Ticket, out var returned) && lease.Epoch <= returned.Epoch && _options.Fault != LeasingFault.NoEpochCheck))
        {
            return false;
        }

        var slot = new LocalSlot
        {
            Phase = LocalPhase.Ready,
            Epoch = lease.Epoch,
            BackendSlot = lease.BackendSlot,
            Instance = lease.Instance,
            Address = lease.Address,
            IdleSinceUs = nowUs,
            Uses = lease.Uses,
        };
        _slots.Add(lease.Ticket, slot);
        if (lease.MemoryMb != Function.MemoryMb || lease.Runtime != Function.Runtime || _leaving)
        {
            GiveBack(nowUs, lease.Ticket, slot, ReturnKind.Idle, null);
            return false;
        }

        var before = Requests;
        if (!_pool.Join(nowUs, lease.Ticket, lease.BackendSlot, lease.Instance, lease.Uses, _poolEffects, lease.Address))
        {
            GiveBack(nowUs, lease.Ticket, slot, ReturnKind.Broken, "its backend slot is in use under another ticket");
            return false;
        }

        Finish(nowUs, before, effects);
        return true;
    }

    /// <summary>The ledger does not hold the slot for this worker any more.</summary>
    private void Lose(long nowUs, SlotTicket ticket, List<Effect> effects)
    {
        _slots.Remove(ticket);
        var before = Requests;
        _pool.Withdraw(nowUs, ticket, _poolEffects);
        Finish(nowUs, before, effects);
    }

    /// <summary>The ledger has leased an idle slot instead of entering the ticket, or the function has as many slots as it may.</summary>
    private void Refused(long nowUs, SlotTicket ticket, bool joined, List<Effect> effects)
    {
        if (joined || _pool.WaiterCount == 0)
        {
            Lose(nowUs, ticket, effects);
            return;
        }

        _slots.Remove(ticket);
        var before = Requests;
        _pool.SlotFailed(
            nowUs, ticket, new SlotFailure(FailureKind.Throttled, "the function has as many slots as it may have"), _poolEffects);
        Finish(nowUs, before, effects);
    }

    /// <summary>Adds an operation; returns its number.</summary>
    private long Enqueue(long nowUs, WorkerOperation operation, long atUs = 0)
    {
        Pending(nowUs);
        _outbox.Add((operation, atUs));
        return _firstOperation + _outbox.Count - 1;
    }

    private void Pending(long nowUs) => _pendingUs = Math.Min(_pendingUs, nowUs);

    private void Urgent(long nowUs) => _urgentUs = Math.Min(_urgentUs, nowUs);

    /// <summary>Times relative to the report, as the two clocks have nothing in common.</summary>
    private static WorkerOperation AsOf(long nowUs, WorkerOperation operation, long atUs) => operation switch
    {
        { Activity: { } activity } => operation with
        {
            Activity = activity with
            {
                CameUs = [.. activity.CameUs.Select(t => nowUs - t)],
                WentUs = [.. activity.WentUs.Select(t => nowUs - t)],
            },
        },
        { Kind: WorkerOperationKind.Return, Return: ReturnKind.Idle } => operation with { TimeUs = nowUs - atUs },
        _ => operation,
    };

    /// <summary>Notes which requests have come and gone during an event.</summary>
    private void Record(long nowUs, (long Came, int Active) before, long executedUs)
    {
        var came = (int)(_pool.Statistics.Arrivals - before.Came);
        var went = came - (_pool.Statistics.Active - before.Active);
        if (came > 0 || went > 0)
        {
            Pending(nowUs);
        }

        for (; came > 0; came--)
        {
            if (_came.Count < MaxActivity)
            {
                _came.Add(nowUs);
            }
            else
            {
                // More than a report carries: neither its coming nor a going is told, so that they stay balanced.
                _unrecorded++;
            }
        }

        for (; went > 0; went--)
        {
            if (_unrecorded > 0)
            {
                _unrecorded--;
            }
            else
            {
                _went.Add((nowUs, executedUs));
            }
        }
    }
}
