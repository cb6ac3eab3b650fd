using FuncScaler.FunctionsHost.Storage;

namespace FuncScaler.FunctionsHost;

/// <summary>What a stand-in is started with.</summary>
internal sealed record HostOptions
{
    /// <summary>The app's folder, as built or published: <c>worker.config.json</c>, <c>functions.metadata</c> and <c>host.json</c> lie in it.</summary>
    public required string App { get; init; }

    /// <summary>The connection string of the storage account.</summary>
    public required string Storage { get; init; }

    /// <summary>The task hub; the one of <c>host.json</c> when not set.</summary>
    public string? Hub { get; init; }

    /// <summary>The port for callers, on loopback; 0 for any free one.</summary>
    public int HttpPort { get; init; }

    /// <summary>The key that callers send for functions that want one; when not set no key is asked for, as with <c>func start</c>.</summary>
    public string? FunctionKey { get; init; }

    /// <summary>Worker processes.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>App settings: the workers' environment.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>After this long an invocation has failed and its worker is restarted; as in <c>host.json</c> when not set.</summary>
    public TimeSpan? FunctionTimeout { get; init; }

    /// <summary>Whether timer triggers fire by their schedules; <see cref="StandIn.FireAsync"/> fires one in any case.</summary>
    public bool Timers { get; init; } = true;

    /// <summary>Counts the storage operations, where something does.</summary>
    public StorageMeter? Meter { get; init; }

    /// <summary>Takes what host and workers have to say, a line at a time.</summary>
    public Action<string> Log { get; init; } = _ => { };
}
