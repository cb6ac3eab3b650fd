using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;

namespace FuncScaler.Leasing.Worker;

/// <summary>
/// A worker's one lease, kept by beats to its own ledger: until when it may give out instances of whatever function, and which tickets it
/// may create slots under without asking. Times are µs on the worker's monotonic clock.
/// </summary>
/// <param name="worker">This life of the worker.</param>
/// <param name="firstTicket">Its tickets are above this.</param>
/// <param name="options">Settings, the same as the ledgers'.</param>
public class WorkerLease(WorkerId worker, long firstTicket, LeasingOptions options)
{
    private readonly long _firstTicket = firstTicket;
    private readonly long _leaseUs = options.WorkerLease.ToUs();
    private readonly List<(long Sequence, long SentUs)> _sent = [];
    private long _sequence;
    private long _acknowledged;
    private long _revision = -1;
    private long _lastBeatUs = long.MinValue / 2;
    private long _lastReadUs = long.MinValue / 2;
    private long _readPauseUs;
    private long _wantedUs = long.MinValue / 4;
    private long _usedUs = long.MinValue / 2;
    private long _validFrom = 1;
    private long _ticketWanted = firstTicket;
    private long _holdWanted = options.HoldAhead.ToUs();
    private bool _resting;
    private bool _leaving;
    private long _leftAt;

    /// <summary>This life of the worker.</summary>
    public WorkerId Worker => worker;

    /// <summary>Until when this worker may give out instances, µs.</summary>
    public long UntilUs { get; private set; } = long.MinValue;

    /// <summary>The highest ticket that it may use.</summary>
    public long ReservedTo { get; private set; } = firstTicket;

    /// <summary>The longest hold of a request that its ledger knows of, µs.</summary>
    public long HoldUs { get; private set; }

    /// <summary>
    /// Its ledger takes it for a worker that may have slots: others may be told of it. Not before its first beat is acknowledged, nor at rest.
    /// </summary>
    public bool IsKnown => _acknowledged >= _validFrom;

    /// <summary>Whether its ledger has answered this life at all: before that a miss waits for the answer.</summary>
    public bool HasBegun => _acknowledged > 0;

    /// <summary>When a beat is to be sent next, µs; <see cref="long.MaxValue"/> for never.</summary>
    public long NextBeatUs
    {
        get
        {
            if (_leaving)
            {
                return _sequence > _leftAt ? long.MaxValue : long.MinValue;
            }

            if (_wantedUs != long.MaxValue)
            {
                return Math.Max(_wantedUs, _lastBeatUs + options.UrgentInterval.ToUs());
            }

            if (_acknowledged < _sequence)
            {
                return _lastBeatUs + (2 * options.ReportInterval.ToUs());
            }

            if (_resting)
            {
                return _lastBeatUs + (options.ForgetWorkerAfter.ToUs() / 3);
            }

            var renewUs = _lastBeatUs + Math.Max(options.ReportInterval.ToUs(), _leaseUs / 3);
            return Math.Max(_lastBeatUs + options.ReportInterval.ToUs(), Math.Min(renewUs, Holding ? long.MaxValue : _usedUs + options.RestAfter.ToUs()));
        }
    }

    /// <summary>When the ledger is to be read next, µs; <see cref="long.MaxValue"/> while every beat is acknowledged.</summary>
    public long NextReadUs => _leaving || _acknowledged >= _sequence ? long.MaxValue : Math.Max(_lastReadUs, _lastBeatUs) + _readPauseUs;

    /// <summary>Whether the worker has slots, or has not told all that it had; only the core knows.</summary>
    internal bool Holding { get; set; }

    /// <summary>Whether the worker may use nothing any more: only while its ledger is certain to take it for alive.</summary>
    public virtual bool IsOver(long nowUs) => nowUs >= UntilUs;

    /// <summary>Whether a slot may be created: nobody knows of it but by this reservation.</summary>
    public virtual bool MayCreate(long nowUs, SlotTicket ticket, long holdUs) => !IsOver(nowUs) && ticket.Value <= ReservedTo && holdUs <= HoldUs;

    /// <summary>Whether a ticket is one of this life's.</summary>
    internal bool Has(SlotTicket ticket) => ticket.Value > _firstTicket && ticket.Value <= _firstTicket + TicketSpace.Size;

    /// <summary>Requests come: the lease is wanted, at once where it is over.</summary>
    public void Use(long nowUs)
    {
        _usedUs = nowUs;
        if (_resting || (IsOver(nowUs) && _acknowledged == _sequence))
        {
            Want(nowUs);
        }
    }

    /// <summary>A slot is to be created: its ticket and the longest hold are made known, in time.</summary>
    public void Want(long nowUs, SlotTicket ticket, long holdUs)
    {
        _usedUs = nowUs;
        if (ticket.Value > _ticketWanted - (options.TicketsAhead / 2) || holdUs > _holdWanted)
        {
            _ticketWanted = Math.Max(_ticketWanted, ticket.Value + options.TicketsAhead);
            _holdWanted = Math.Max(_holdWanted, holdUs);
            Want(nowUs);
        }
        else if (_resting)
        {
            Want(nowUs);
        }
    }

    /// <summary>The worker stops: one more beat, the last.</summary>
    public void Leave()
    {
        if (!_leaving)
        {
            _leaving = true;
            _leftAt = _sequence;
        }
    }

    /// <summary>What to tell the ledger now.</summary>
    /// <param name="nowUs">The time.</param>
    /// <param name="settledTo">No ticket up to this one is unknown to its function's ledger.</param>
    public WorkerBeat TakeBeat(long nowUs, long settledTo)
    {
        var rests = !_leaving && _sequence > 0 && !Holding && _wantedUs == long.MaxValue && nowUs >= _usedUs + options.RestAfter.ToUs();
        _usedUs = _sequence++ == 0 ? Math.Max(_usedUs, nowUs) : _usedUs;
        if (rests || _leaving)
        {
            // What was sent before says nothing any more: from now on nothing is used until a later beat is acknowledged.
            UntilUs = long.MinValue;
            ReservedTo = _firstTicket;
            _validFrom = _sequence + 1;
        }

        _readPauseUs = _wantedUs != long.MaxValue || IsOver(nowUs) ? options.AnswerInterval.ToUs() : options.ReadInterval.ToUs() / 4;
        _resting = rests;
        _wantedUs = long.MaxValue;
        _lastBeatUs = nowUs;
        _sent.Add((_sequence, nowUs));
        _ticketWanted = Math.Max(_ticketWanted, _firstTicket + options.TicketsAhead);
        return new WorkerBeat
        {
            Worker = worker,
            Sequence = _sequence,
            Renewal = _acknowledged > 0,
            FirstTicket = _firstTicket,
            ReserveTo = rests ? settledTo : Math.Min(_ticketWanted, _firstTicket + TicketSpace.Size),
            SettledTo = settledTo,
            HoldUs = _holdWanted,
            Resting = rests,
            Leaving = _leaving,
        };
    }

    /// <summary>The ledger is being read now; <see cref="NextReadUs"/> moves on.</summary>
    public void ReadBegun(long nowUs)
    {
        _lastReadUs = nowUs;
        _readPauseUs = Math.Min(2 * Math.Max(_readPauseUs, options.AnswerInterval.ToUs()), options.ReadInterval.ToUs());
    }

    /// <summary>What the ledger says. States older than the last one change nothing.</summary>
    /// <returns>False when this life is over.</returns>
    public bool Receive(long nowUs, WorkerState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (state.Revision <= _revision || state.Worker != worker)
        {
            return true;
        }

        _revision = state.Revision;
        if (state.Expired)
        {
            UntilUs = long.MinValue;
            return _leaving;
        }

        _acknowledged = Math.Max(_acknowledged, state.Sequence);
        ReservedTo = state.Sequence >= _validFrom ? Math.Max(ReservedTo, state.ReservedTo) : ReservedTo;
        HoldUs = Math.Max(HoldUs, state.HoldUs);
        foreach (var (sequence, sentUs) in _sent)
        {
            if (sequence == state.Sequence && sequence >= _validFrom)
            {
                UntilUs = Math.Max(UntilUs, BeginUs(sentUs, nowUs) + _leaseUs);
            }
        }

        _sent.RemoveAll(s => s.Sequence <= state.Sequence);
        return true;
    }

    /// <summary>When a lease begins, µs: the ledger's counts from when the beat came, so the worker's does from before it was sent.</summary>
    private protected virtual long BeginUs(long sentUs, long answeredUs) => sentUs;

    private void Want(long nowUs) => _wantedUs = Math.Min(_wantedUs == long.MaxValue ? nowUs : _wantedUs, nowUs);
}
