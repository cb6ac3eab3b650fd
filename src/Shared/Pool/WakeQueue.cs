namespace FuncScaler.Pool;

/// <summary>Something that wishes to be woken.</summary>
internal interface IWakeable
{
    /// <summary>For when a <see cref="WakeQueue{T}"/> has it, µs; <see cref="long.MaxValue"/> for never.</summary>
    long ArmedForUs { get; set; }
}

/// <summary>Who is to be woken when. A wish for an earlier time replaces the former one; later ones come when that time has come.</summary>
internal sealed class WakeQueue<T>
    where T : class, IWakeable
{
    private readonly PriorityQueue<T, long> _queue = new();

    /// <summary>When the next is due, µs; <see cref="long.MaxValue"/> for never.</summary>
    public long NextUs => _queue.TryPeek(out _, out var atUs) ? atUs : long.MaxValue;

    /// <summary>Wakes it at a time, or before.</summary>
    public void Arm(T sleeper, long atUs)
    {
        if (atUs < sleeper.ArmedForUs)
        {
            sleeper.ArmedForUs = atUs;
            _queue.Enqueue(sleeper, atUs);
        }
    }

    /// <summary>Takes the next that is due; it is armed for nothing then.</summary>
    public bool TryTake(long nowUs, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out T? due)
    {
        while (_queue.TryPeek(out due, out var atUs) && atUs <= nowUs)
        {
            _queue.Dequeue();
            if (atUs == due.ArmedForUs)
            {
                due.ArmedForUs = long.MaxValue;
                return true;
            }
        }

        due = null;
        return false;
    }
}
