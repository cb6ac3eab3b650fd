using Microsoft.AspNetCore.Http;

namespace FuncScaler.UnaryGrpc;

/// <summary>The server's side of one call, for its handler: deadline, cancellation, peer, metadata.</summary>
public sealed class UnaryCall : IDisposable
{
    /// <summary>The longest delay a timer takes, a little under 50 days; a later deadline is known but not enforced.</summary>
    internal static readonly TimeSpan LongestTimer = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    private readonly TimeProvider _time;
    private readonly HttpContext? _http;
    private readonly Func<string, string?>? _metadata;
    private readonly CancellationToken _aborted;
    private readonly CancellationTokenSource? _ending;
    private readonly CancellationTokenRegistration _abortRegistration;
    private string? _peer;

    /// <summary>A call that did not come through <see cref="UnaryGrpcServer"/>: gRPC-Web, tests.</summary>
    public UnaryCall(
        TimeProvider timeProvider,
        TimeSpan? timeout = null,
        string peer = "",
        Func<string, string?>? metadata = null,
        CancellationToken aborted = default)
        : this(timeProvider, timeout, aborted)
    {
        _peer = peer;
        _metadata = metadata;
    }

    internal UnaryCall(TimeProvider timeProvider, TimeSpan? timeout, HttpContext http)
        // Asking for RequestAborted makes Kestrel allocate; without a deadline that waits until a handler asks.
        : this(timeProvider, timeout, timeout is null ? default : http.RequestAborted)
    {
        _http = http;
    }

    private UnaryCall(TimeProvider timeProvider, TimeSpan? timeout, CancellationToken aborted)
    {
        ArgumentNullException.ThrowIfNull(timeProvider);
        _time = timeProvider;
        _aborted = aborted;
        if (timeout is not { } delay)
        {
            return;
        }

        DateTimeOffset now = timeProvider.GetUtcNow();
        Deadline = delay < DateTimeOffset.MaxValue - now ? now + delay : DateTimeOffset.MaxValue;
        if (delay <= TimeSpan.Zero)
        {
            _ending = new CancellationTokenSource();
            _ending.Cancel();
            return;
        }

        _ending = delay <= LongestTimer ? new CancellationTokenSource(delay, timeProvider) : new CancellationTokenSource();
        _abortRegistration = aborted.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), _ending);
    }

    /// <summary>When the caller stops waiting; null if it did not say.</summary>
    public DateTimeOffset? Deadline { get; }

    /// <summary>The time until <see cref="Deadline"/>, never negative; null if there is none.</summary>
    public TimeSpan? TimeRemaining =>
        Deadline is not { } deadline ? null
        : deadline - _time.GetUtcNow() is var left && left > TimeSpan.Zero ? left
        : TimeSpan.Zero;

    /// <summary>Fires when the deadline passes, the client cancels, or the connection is lost.</summary>
    public CancellationToken Cancellation => _ending?.Token ?? _http?.RequestAborted ?? _aborted;

    /// <summary>The caller's address and port, as text; empty where it is not known.</summary>
    public string Peer => _peer ??= DescribePeer();

    /// <summary>
    /// The request's metadata of that name (case does not matter), or null. Valid until the handler returns.
    /// </summary>
    public string? GetMetadata(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (_http is null)
        {
            return _metadata?.Invoke(name);
        }

        return _http.Request.Headers.TryGetValue(name, out Microsoft.Extensions.Primitives.StringValues values)
            ? values.ToString()
            : null;
    }

    /// <summary>
    /// Sends metadata with the reply, as headers before it. Not sent with an error, nor over gRPC-Web. For the handler, before it returns.
    /// </summary>
    /// <param name="name">Lower case; not one of gRPC's own.</param>
    /// <param name="value">Printable ASCII.</param>
    public void SetReplyMetadata(string name, string value)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        (ReplyMetadata ??= [])[name] = value;
    }

    /// <summary>What <see cref="SetReplyMetadata"/> has set; null for nothing.</summary>
    internal Dictionary<string, string>? ReplyMetadata { get; private set; }

    /// <summary>The token to wait with before and beside the handler: never fires for a call without a deadline.</summary>
    internal CancellationToken DeadlineToken => _ending?.Token ?? default;

    /// <summary>Whether the cancellation, having fired, was the deadline's and not the client's.</summary>
    internal bool DeadlinePassed =>
        _ending is { IsCancellationRequested: true } && !(_http?.RequestAborted ?? _aborted).IsCancellationRequested;

    public void Dispose()
    {
        _abortRegistration.Dispose();
        _ending?.Dispose();
    }

    private string DescribePeer()
    {
        if (_http?.Connection is not { RemoteIpAddress: { } address } connection)
        {
            return "";
        }

        return new System.Net.IPEndPoint(address, connection.RemotePort).ToString();
    }
}
