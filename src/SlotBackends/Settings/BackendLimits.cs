namespace FuncScaler.SlotBackends.Settings;

/// <summary>
/// What a scaler has to keep to on a backend. Both hosts apply it, because a pool that counts on another slot before the backend has ended
/// its call creates that slot twice.
/// </summary>
public sealed record BackendLimits
{
    /// <summary>After how long a creation that was not answered is given up; null for the pool's own default.</summary>
    public TimeSpan? CreateTimeout { get; init; }

    /// <summary>After how long a destruction that was not answered is asked for again; null for the pool's own default.</summary>
    public TimeSpan? DestroyTimeout { get; init; }

    /// <summary>How long a slot that nobody owns is left alone; null for the pool's own default.</summary>
    public TimeSpan? OrphanGrace { get; init; }

    /// <summary>How often the inventory is compared with the backend's list; null for only after the backend was unreachable.</summary>
    public TimeSpan? ReconcileInterval { get; init; }

    /// <summary>Whether what a former run has left is taken in before requests are.</summary>
    public bool SweepsFirst { get; init; }

    /// <summary>A pool's settings, changed as the backend needs them.</summary>
    public SlotPoolOptions Apply(SlotPoolOptions pool)
    {
        ArgumentNullException.ThrowIfNull(pool);
        return pool with
        {
            CreateTimeout = CreateTimeout ?? pool.CreateTimeout,
            DestroyTimeout = DestroyTimeout ?? pool.DestroyTimeout,
            OrphanGrace = OrphanGrace ?? pool.OrphanGrace,
        };
    }
}
