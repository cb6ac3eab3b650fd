using FuncScaler.Learned;
using FuncScaler.Leasing;
using FuncScaler.Leasing.Messages;
using FuncScaler.Leasing.Worker;
using FuncScaler.Policies;
using FuncScaler.Runtime.Execution;
using FuncScaler.Runtime.Telemetry;
using FuncScaler.SlotBackends;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Runtime.Leasing;

/// <summary>
/// A scaler that is one worker among several: its pools hold slots leased from durable ledgers. A warm assign and its release are answered
/// from memory; what the ledgers need to know goes to them in the background, batched per function.
/// </summary>
public sealed partial class WorkerRuntime : CoreScaler, IAsyncDisposable
{
    private readonly WorkerCore _core;
    private readonly LedgerMemory _memory;
    private readonly ILedgers _ledgers;
    private readonly LeasingOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly RuntimeMetrics? _metrics;
    private readonly LedgerMessages _messages;
    private TaskCompletionSource? _quiet;

    /// <param name="worker">This worker, in this life.</param>
    /// <param name="ledgers">The way to the ledgers.</param>
    /// <param name="backend">Where slots come from; not disposed with the runtime, as others use it too.</param>
    /// <param name="policy">How functions are served, the same as the ledgers'.</param>
    /// <param name="options">Settings of leasing, the same as the ledgers'.</param>
    /// <param name="runtime">Settings; their pool limits are not used, <see cref="LeasingOptions.Pool"/> are.</param>
    /// <param name="time">The clock and its timers.</param>
    /// <param name="logger">For what operators should know.</param>
    public WorkerRuntime(
        WorkerId worker,
        ILedgers ledgers,
        ISlotBackend backend,
        PolicyChoice policy,
        LeasingOptions options,
        ScalerRuntimeOptions runtime,
        TimeProvider time,
        ILogger<WorkerRuntime> logger)
        : this(worker, ledgers, backend, policy, options, runtime, time, logger, scheduling: null)
    {
    }

    internal WorkerRuntime(
        WorkerId worker,
        ILedgers ledgers,
        ISlotBackend backend,
        PolicyChoice policy,
        LeasingOptions options,
        ScalerRuntimeOptions runtime,
        TimeProvider time,
        ILogger<WorkerRuntime> logger,
        Scheduling? scheduling)
    {
        var held = HeldCalls.For(backend);
        options = options with { Pool = HeldCalls.PriceCreates(options.Pool, backend, held) };
        _memory = new LedgerMemory(logger);
        _core = new WorkerCore(worker, policy, options, _memory);
        _ledgers = ledgers;
        _options = options;
        _time = time;
        _logger = logger;
        Executor = new CoreExecutor(_core, backend, held, runtime, time, logger, AfterEvent, scheduling);
        Reports = new CoreReports(_core, Executor, policy, backend.Name);
        _metrics = runtime.Measured ? new RuntimeMetrics(Reports.Read, time) : null;
        _messages = new LedgerMessages(_core, Executor, ledgers, scheduling ?? Scheduling.ThreadPool, time, logger);
    }

    /// <summary>This worker, in this life.</summary>
    public WorkerId Worker => Executor.Look(_ => _core.Worker);

    /// <summary>Whether cold starts wait for nothing but the backend: this worker's ledger has answered. Not yet so in its first second.</summary>
    public bool IsReady => Executor.Look(_ => _core.Lease.HasBegun);

    /// <summary>Reports sent to ledgers since the start.</summary>
    public long ReportsSent => _messages.ReportsSent;

    /// <summary>Ledgers read since the start.</summary>
    public long LedgersRead => _messages.LedgersRead;

    private protected override CoreExecutor Executor { get; }

    private protected override CoreReports Reports { get; }

    /// <summary>Asks for the lease before the first request does: otherwise that one waits for it.</summary>
    public void Begin() => DoAndSend(static (_, _) => { });

    /// <summary>Limits of a function from now on; its floor and ceiling are its ledger's to keep.</summary>
    /// <param name="function">The function.</param>
    /// <param name="limits">The limits; null to take them away: those of all others hold then.</param>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void SetLimits(MetaKey function, FunctionLimits? limits) =>
        Executor.Do((nowUs, effects) => _core.SetLimits(nowUs, function, limits, effects));

    /// <summary>Limits from now on of each function of which nothing else is said.</summary>
    /// <exception cref="ArgumentException">A limit is out of its range.</exception>
    public void SetOtherLimits(FunctionLimits limits) => Executor.Do((nowUs, effects) => _core.SetOtherLimits(nowUs, limits, effects));

    /// <inheritdoc cref="WorkerCore.SetGroups"/>
    public void SetGroups(IReadOnlyCollection<FunctionGroup> groups) => Executor.Do((nowUs, effects) => _core.SetGroups(nowUs, groups, effects));

    /// <summary>The functions that this worker serves, as of now.</summary>
    public IReadOnlyList<MetaKey> Functions => Executor.Look(_ => (MetaKey[])[.. _core.Pools.Select(p => p.Function.Key)]);

    /// <summary>Whether this worker serves a function.</summary>
    public bool Serves(MetaKey function) => Executor.Look(_ => _core.Find(function) is not null);

    /// <summary>
    /// Reads what other workers have learned of functions, for those that this worker has not served yet. To be called once, before the first
    /// request. Without it the worker serves as well, and learns for itself.
    /// </summary>
    /// <returns>Of how many functions something is known.</returns>
    public async Task<int> LearnAsync(CancellationToken cancellationToken)
    {
        var read = new List<(MetaKey Function, byte[] Record, long AtUs)>();
        await foreach (var ledger in _ledgers.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            if (ledger is { Function: { } function, Learned: { } record })
            {
                read.Add((function.Key, record, ledger.LearnedAtUs));
                if (read.Count == LedgerMemory.MostFunctions)
                {
                    break;
                }
            }
        }

        // The ledgers' clocks count from 1970, the core's from somewhere.
        var utcUs = LedgerClock.NowUs(_time);
        var known = 0;
        Executor.Do((nowUs, _) =>
        {
            foreach (var (function, record, atUs) in read)
            {
                if (_core.Find(function) is null)
                {
                    _memory.Keep(function, new LearnedBytes(record, nowUs - Math.Max(0, utcUs - atUs)));
                }
            }

            known = _memory.Count;
        });
        return known;
    }

    /// <summary>
    /// Stops: unused instances go back at once, those in use when their requests end or when <paramref name="cancellationToken"/> ends the
    /// patience, then with the name of the request that holds them, so that its release frees them wherever it lands.
    /// </summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        var quiet = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        quiet = Interlocked.CompareExchange(ref _quiet, quiet, null) ?? quiet;
        DoAndSend((nowUs, effects) => _core.Drain(nowUs, effects));
        try
        {
            await quiet.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            LogLeaving(Executor.Look(_ => _core.SlotCount));
        }

        Executor.Do((nowUs, effects) => _core.Leave(nowUs, effects));

        // The last reports are urgent, and that is when they are due at the latest.
        await Task.Delay(_options.UrgentInterval + TimeSpan.FromMilliseconds(1), _time, CancellationToken.None).ConfigureAwait(false);
        DoAndSend(static (_, _) => { });
        await _messages.SentAsync().ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        _metrics?.Dispose();
        await Executor.DisposeAsync().ConfigureAwait(false);
    }

    private void DoAndSend(Action<long, List<Effect>> coreEvent) => Executor.Do((nowUs, effects) =>
    {
        coreEvent(nowUs, effects);
        _core.Tick(nowUs, effects);
    });

    /// <summary>Called with the executor's lock held.</summary>
    private void AfterEvent()
    {
        _messages.Send();
        if (_quiet is { } quiet && _core.SlotCount == 0)
        {
            quiet.TrySetResult();
        }
    }

    [LoggerMessage(122, LogLevel.Information, "Stopping with {Count} slots; they go back with the names of the requests that hold them")]
    private partial void LogLeaving(int count);
}
