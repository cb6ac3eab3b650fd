using FuncScaler.ContestSimulator.Platform;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.Contract;

namespace FuncScaler.Tests.Platform;

/// <summary>A platform and a scaler in one process on a manual clock: hours pass in no time, and every figure is exact.</summary>
internal sealed class ReplayWorld
{
    private readonly Contract.Scaler.ScalerClient _toScaler;

    public ReplayWorld(Fault fault = Fault.None, TimeSpan? tail = null)
    {
        Options = new ContestPlatformOptions { TimeProvider = Time, Tail = tail ?? TimeSpan.Zero };
        Platform = new PlatformService(Options);
        Scaler = new FakeScaler(Time, fault)
        {
            Platform = new Contract.Platform.PlatformClient(new InProcessInvoker()
                .Add<CreateSlotRequest, CreateSlotReply>("CreateSlot", (request, _) => Platform.CreateSlotAsync(request))
                .Add<InitRequest, InitReply>("Init", (request, _) => Platform.InitAsync(request))
                .Add<DestroySlotRequest, DestroySlotReply>("DestroySlot", (request, _) => Platform.DestroySlotAsync(request))),
        };
        _toScaler = Connect(Scaler);
    }

    public ManualTimeProvider Time { get; } = new();

    public ContestPlatformOptions Options { get; }

    public PlatformService Platform { get; }

    public FakeScaler Scaler { get; }

    public ContestReplay Replay(ITrace trace) => new(Platform, _toScaler, new ContestRun("run", trace, "requests", "metas"), Options);

    /// <summary>Begins a run without leaving this thread; it goes on whenever the time is advanced.</summary>
    public static Task<RunReport> Begin(
        ContestReplay replay, IProgress<RunProgress>? progress = null, CancellationToken cancellation = default)
    {
        Task<RunReport>? run = null;
        ManualTimeProvider.Inline(() => run = replay.RunAsync(progress, cancellation));
        return run!;
    }

    /// <summary>Makes a whole run.</summary>
    public Task<RunReport> RunAsync(params TraceRequest[] requests) => EndAsync(Begin(Replay(new ListTrace(Functions, requests))));

    /// <summary>Two functions alike but for their init, 40 and 50 ms.</summary>
    public static IReadOnlyList<TraceFunction> Functions { get; } =
        [ListTrace.Function("f", 512, 40), ListTrace.Function("g", 512, 50)];

    /// <summary>Lets the time pass until the run has ended.</summary>
    /// <remarks>Cancelled delays end on other threads; they set no timers here, so what is left then is to wait for them.</remarks>
    public async Task<RunReport> EndAsync(Task<RunReport> run)
    {
        while (!run.IsCompleted && Time.AdvanceToNextTimer(TimeSpan.FromDays(1)))
        {
        }

        return await run.WaitAsync(TimeSpan.FromSeconds(30));
    }

    private static Contract.Scaler.ScalerClient Connect(FakeScaler scaler) => new(new InProcessInvoker()
        .Add<AssignRequest, AssignReply>("Assign", scaler.AssignAsync)
        .Add<IdleRequest, IdleReply>("Idle", (request, _) => scaler.IdleAsync(request)));
}
