using FuncScaler.Runtime.Service;
using FuncScaler.SlotBackends.Budget;

namespace FuncScaler.ScalerHost.Security;

/// <summary>A caller that is known, with what is left of its rate.</summary>
internal sealed class Caller
{
    private readonly CallerOptions _options;
    private readonly TokenBuckets? _requests;
    private readonly TokenBuckets? _releases;

    public Caller(CallerOptions options, TimeProvider time)
    {
        _options = options;
        Scope = options.Functions is { } prefixes ? new CallerScope(options.Name, prefixes) : null;
        if (options.RequestsPerSecond is { } perSecond)
        {
            var burst = options.Burst ?? (int)Math.Max(1, Math.Ceiling(perSecond));
            var refill = TimeSpan.FromSeconds(burst / perSecond);
            _requests = new TokenBuckets([new RateLimit(burst, refill)], time);

            // What frees instances has to come through: every release belongs to an assign that was let through, and some are repeated.
            _releases = new TokenBuckets([new RateLimit(2 * burst, refill)], time);
        }
    }

    public string Name => _options.Name;

    /// <summary>Which functions it has; null for all.</summary>
    public CallerScope? Scope { get; }

    public bool Has(CallerRight right) => _options.Rights.Contains(right);

    /// <summary>Whether a request is within the caller's rate.</summary>
    /// <param name="isRelease">Whether it gives an instance back.</param>
    /// <param name="retryAfter">Else when the next one will be.</param>
    public bool TryTake(bool isRelease, out TimeSpan retryAfter)
    {
        retryAfter = TimeSpan.Zero;
        return (isRelease ? _releases : _requests)?.TryTake(out retryAfter) ?? true;
    }

    /// <summary>Whether a reload may go on with this caller, so that its rate does not begin anew.</summary>
    public bool Is(CallerOptions options) =>
        options.Name == Name && options.RequestsPerSecond == _options.RequestsPerSecond && options.Burst == _options.Burst
        && options.Rights.SequenceEqual(_options.Rights)
        && (options.Functions is null ? _options.Functions is null : _options.Functions is not null && options.Functions.SequenceEqual(_options.Functions));
}
