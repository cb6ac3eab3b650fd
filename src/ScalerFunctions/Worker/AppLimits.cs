using FuncScaler.Runtime.Leasing;
using FuncScaler.Runtime.Limits;
using FuncScaler.ScalerFunctions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerFunctions.Worker;

/// <summary>
/// The operator's limits in a worker. Its own pools are told what is for one worker alone: concurrency, waiting requests, price, time, groups. A floor and a
/// ceiling are of all workers together, so the functions' ledgers keep them: each of their operations is made with the limits of now (<see cref="Of"/>), and they
/// are woken when a schedule begins or ends, or the file has changed.
/// </summary>
public sealed partial class AppLimits : IDisposable
{
    private readonly LimitsPlan _plan = LimitsPlan.None;
    private readonly LimitsWatch? _watch;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private LimitsClock? _clock;

    /// <param name="options">The app's settings, checked.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">For what operators should know.</param>
    public AppLimits(IOptions<ScalerAppOptions> options, TimeProvider time, ILogger<AppLimits> logger)
    {
        (_time, _logger) = (time, logger);
        var settings = options.Value;
        if (settings.LimitsFile.Length > 0)
        {
            _watch = new LimitsWatch(settings.LimitsFile, time);
        }
        else if (!string.IsNullOrWhiteSpace(settings.Limits))
        {
            _plan = LimitsPlan.Read(settings.Limits);
        }
    }

    private LimitsPlan Plan => _watch?.Plan ?? _plan;

    /// <summary>The limits of a function now.</summary>
    public FunctionLimits Of(MetaKey function) => Plan is var plan && plan.Names(function)
        ? plan.At(function, _time.GetUtcNow())
        : plan.OthersAt(_time.GetUtcNow());

    /// <summary>Tells the worker of the limits, and the ledgers when they change.</summary>
    /// <param name="runtime">The worker.</param>
    /// <param name="ledgers">The way to the ledgers.</param>
    public void Start(WorkerRuntime runtime, DurableLedgers ledgers)
    {
        if (_watch is not null)
        {
            _watch.Start(Set, SetOthers, _logger, runtime.SetGroups);
            return;
        }

        _clock = new LimitsClock(Set, SetOthers, _time, runtime.SetGroups);
        _clock.Follow(_plan);

        void Set(MetaKey function, FunctionLimits? limits, FunctionMeta? settings)
        {
            runtime.SetLimits(function, limits);
            if (settings is not null || runtime.Serves(function))
            {
                // Several workers say it; the ledger does the same each time.
                _ = TellAsync(ledgers, function, settings);
            }
        }

        void SetOthers(FunctionLimits limits)
        {
            runtime.SetOtherLimits(limits);
            _ = TellAllAsync(ledgers, [.. runtime.Functions.Where(f => !Plan.Names(f))]);
        }
    }

    public void Dispose()
    {
        _watch?.Dispose();
        _clock?.Dispose();
    }

    /// <summary>One after the other: there may be thousands, and none of them is in a hurry.</summary>
    private async Task TellAllAsync(DurableLedgers ledgers, IReadOnlyList<MetaKey> functions)
    {
        foreach (var function in functions)
        {
            await TellAsync(ledgers, function, settings: null).ConfigureAwait(false);
        }
    }

    private async Task TellAsync(DurableLedgers ledgers, MetaKey function, FunctionMeta? settings)
    {
        try
        {
            await ledgers.LimitsChangedAsync(function, settings, CancellationToken.None);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            LogNotTold(function.Value, e.Message);
        }
    }

    [LoggerMessage(216, LogLevel.Warning, "The ledger of function {Function} was not told of new limits, it will see them at its next event: {Reason}")]
    private partial void LogNotTold(string function, string reason);
}
