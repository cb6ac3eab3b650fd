using System.Net;
using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.ContestSimulator.Platform;

/// <summary>How the contest platform behaves and where it listens. The defaults are the contest's (docs/reference/contest.md).</summary>
public sealed record ContestPlatformOptions
{
    /// <summary>What CreateSlot takes; at least 0. (observed: about 100 ms)</summary>
    public TimeSpan CreateDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>What DestroySlot takes; at least 0. (observed: about 20 ms)</summary>
    public TimeSpan DestroyDelay { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>How long a run goes on after its last request, while live slots cost; at least 0. (observed: about 300 s)</summary>
    public TimeSpan Tail { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>The deadline of each Assign and each Idle; at least 1 ms. A call that exceeds it fails its request.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(600);

    /// <summary>How long a run waits at its start for the scaler to answer; at least 0.</summary>
    public TimeSpan ScalerWait { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often progress is reported; at least 1 ms.</summary>
    public TimeSpan ProgressInterval { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Where the scaler serves gRPC, HTTP/2 without TLS.</summary>
    public Uri ScalerAddress { get; init; } = new("http://127.0.0.1:9001");

    /// <summary>The address both servers listen on. Neither asks who calls: do not open it to a network that is not trusted.</summary>
    public IPAddress ListenAddress { get; init; } = IPAddress.Loopback;

    /// <summary>The port of the Platform gRPC service; 0 takes a free one.</summary>
    public int PlatformPort { get; init; } = 50051;

    /// <summary>The port of the HTTP control server; 0 takes a free one.</summary>
    public int ControlPort { get; init; } = 9000;

    /// <summary>The trace of a /start that names no files; null when each has to name them.</summary>
    public ITrace? DefaultTrace { get; init; }

    /// <summary>Opens the trace of a /start from the paths of its metas and requests; null when /start may not name files.</summary>
    /// <remarks>
    /// May throw <see cref="TraceFormatException"/>, <see cref="IOException"/> and <see cref="UnauthorizedAccessException"/>.
    /// </remarks>
    public Func<string, string, ITrace>? OpenTrace { get; init; }

    /// <summary>Told how long each Assign took that was answered, µs, from any thread; null when nobody wants to know.</summary>
    public Action<long>? AssignAnswered { get; init; }

    /// <summary>The clock of the replay, the slots and the latencies.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
