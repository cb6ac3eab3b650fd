using FuncScaler.Leasing.Messages;

namespace FuncScaler.Leasing.Worker;

/// <summary>
/// What a worker has to tell a ledger: operations numbered without gaps, kept until the ledger has applied them, and the requests that
/// came and went since the last report.
/// </summary>
internal sealed class Outbox
{
    private const int MaxActivity = 512;

    private readonly List<(WorkerOperation Operation, long AtUs)> _operations = [];
    private readonly List<long> _came = [];
    private readonly List<(long AtUs, long ExecutedUs, long WaitedUs)> _went = [];
    private int _unrecorded;

    /// <summary>The number of the first operation that the ledger may not have applied.</summary>
    public long First { get; private set; } = 1;

    /// <summary>Goes on where a former one has ended.</summary>
    public void GoOn(long first) => First = first;

    /// <summary>Operations that the ledger may not have applied.</summary>
    public int Count => _operations.Count;

    /// <summary>Adds an operation; returns its number.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="atUs">What its times are relative to, µs, where it has such.</param>
    public long Add(WorkerOperation operation, long atUs)
    {
        _operations.Add((operation, atUs));
        return First + _operations.Count - 1;
    }

    /// <summary>The first ticket of a worker's own that operations tell of; <see cref="long.MaxValue"/> for none.</summary>
    public long FirstTicket(WorkerLease lease)
    {
        var first = long.MaxValue;
        foreach (var (operation, _) in _operations)
        {
            if (lease.Has(operation.Ticket))
            {
                first = Math.Min(first, operation.Ticket.Value);
            }
        }

        return first;
    }

    /// <summary>A request came.</summary>
    public void Came(long nowUs)
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

    /// <summary>A request went.</summary>
    public void Went(long nowUs, long executedUs, long waitedUs)
    {
        if (_unrecorded > 0)
        {
            _unrecorded--;
        }
        else
        {
            _went.Add((nowUs, executedUs, waitedUs));
        }
    }

    /// <summary>The ledger has applied all operations up to this number.</summary>
    public void Acknowledge(long operation)
    {
        var applied = (int)Math.Clamp(operation - First + 1, 0, _operations.Count);
        _operations.RemoveRange(0, applied);
        First += applied;
    }

    /// <summary>What to report: at most so many operations, with times relative to now, as the two clocks have nothing in common.</summary>
    public IReadOnlyList<WorkerOperation> AsOf(long nowUs, int most)
    {
        if (_operations.Count < most && (_came.Count > 0 || _went.Count > 0))
        {
            Add(
                new WorkerOperation
                {
                    Kind = WorkerOperationKind.Activity,
                    Activity = new Activity
                    {
                        CameUs = [.. _came],
                        WentUs = [.. _went.Select(w => w.AtUs)],
                        ExecutedUs = [.. _went.Select(w => w.ExecutedUs)],
                        WaitedUs = _went.Exists(w => w.WaitedUs > 0) ? [.. _went.Select(w => w.WaitedUs)] : null,
                    },
                },
                nowUs);
        }

        // Where the ledger has not been reached for long, statistics are the first to go.
        _came.Clear();
        _went.Clear();
        return [.. _operations.Take(most).Select(o => AsOf(nowUs, o.Operation, o.AtUs))];
    }

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
}
