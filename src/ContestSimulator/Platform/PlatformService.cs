using FuncScaler.Contract;
using Grpc.Core;
using Status = FuncScaler.Contract.Status;

namespace FuncScaler.ContestSimulator.Platform;

/// <summary>
/// The contract's Platform service: <see cref="PlatformState"/> behind one lock, with the time that slots take to come and go.
/// Safe for concurrent use. A caller that goes away changes nothing: its slot is created, initialised or destroyed all the same.
/// </summary>
public sealed class PlatformService : Contract.Platform.PlatformBase
{
    private readonly ContestPlatformOptions _options;
    private readonly TimeProvider _time;
    private readonly long _origin;

    /// <summary>Creations by the id of their request, the last <see cref="MostRemembered"/> of them.</summary>
    private readonly Dictionary<string, Task<CreateSlotReply>> _creations = [];
    private readonly Queue<string> _remembered = new();

    private const int MostRemembered = 100_000;

    public PlatformService(ContestPlatformOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _time = options.TimeProvider;
        _origin = _time.GetTimestamp();
        // A scaler may outlive a platform: slots of two platforms must not share an id.
        State = new PlatformState($"slot-{_time.GetUtcNow().ToUnixTimeMilliseconds():x}-");
    }

    /// <summary>To be held around every use of <see cref="State"/>.</summary>
    internal Lock Gate { get; } = new();

    internal PlatformState State { get; }

    /// <summary>The time on the platform's clock, µs; 0 was the service's creation.</summary>
    internal long NowUs => _time.GetElapsedTime(_origin).Ticks / TimeSpan.TicksPerMicrosecond;

    public override Task<CreateSlotReply> CreateSlot(CreateSlotRequest request, ServerCallContext context) => CreateSlotAsync(request);

    public override Task<InitReply> Init(InitRequest request, ServerCallContext context) => InitAsync(request);

    public override Task<DestroySlotReply> DestroySlot(DestroySlotRequest request, ServerCallContext context) => DestroySlotAsync(request);

    /// <summary>
    /// Creates a slot: answers after <see cref="ContestPlatformOptions.CreateDelay"/>, a refusal at once. A request that comes again under its id
    /// gets the answer of the first one. (assumed: the contract has ids, and nobody has seen what the contest's platform does with them)
    /// </summary>
    public Task<CreateSlotReply> CreateSlotAsync(CreateSlotRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.RequestId.Length == 0)
        {
            return CreateAsync(request);
        }

        lock (Gate)
        {
            if (_creations.TryGetValue(request.RequestId, out var creation))
            {
                return creation;
            }

            _creations[request.RequestId] = creation = CreateAsync(request);
            _remembered.Enqueue(request.RequestId);
            if (_remembered.Count > MostRemembered)
            {
                _creations.Remove(_remembered.Dequeue());
            }

            return creation;
        }
    }

    private async Task<CreateSlotReply> CreateAsync(CreateSlotRequest request)
    {
        var memoryMb = request.ResourceConfig?.MemoryInMegabytes ?? 0;
        SlotReply begun;
        long beganUs;
        lock (Gate)
        {
            beganUs = NowUs;
            begun = State.BeginCreateSlot(beganUs, memoryMb);
        }

        if (begun.SlotId is not { } slotId)
        {
            return new CreateSlotReply { Status = begun.Status, ErrorMessage = begun.Error ?? string.Empty };
        }

        var createTimeMs = UnixMs();
        await DelayAsync(_options.CreateDelay).ConfigureAwait(false);
        lock (Gate)
        {
            State.CompleteCreateSlot(slotId);
        }

        return new CreateSlotReply
        {
            Status = Status.Ok,
            Slot = new Slot
            {
                Id = slotId,
                ResourceConfig = new ResourceConfig { MemoryInMegabytes = memoryMb },
                CreateTime = createTimeMs,
                CreateDurationInMs = (ulong)Math.Max(0, (NowUs - beganUs) / 1000),
            },
        };
    }

    /// <summary>Initialises a slot: answers after the function's init duration, a refusal at once.</summary>
    public async Task<InitReply> InitAsync(InitRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        SlotReply reply;
        long beganUs;
        lock (Gate)
        {
            beganUs = NowUs;
            reply = State.BeginInit(request.SlotId, request.InstanceId, request.MetaData?.Key ?? string.Empty);
        }

        var createTimeMs = UnixMs();
        if (reply.Status == Status.Ok)
        {
            await DelayAsync(TimeSpan.FromMicroseconds(reply.InitDurationUs)).ConfigureAwait(false);
            lock (Gate)
            {
                reply = State.CompleteInit(NowUs, request.SlotId);
            }
        }

        if (reply.Status != Status.Ok)
        {
            return new InitReply { Status = reply.Status, ErrorMessage = reply.Error ?? string.Empty };
        }

        return new InitReply
        {
            Status = Status.Ok,
            CreateTime = createTimeMs,
            InitDurationInMs = (ulong)Math.Max(0, (NowUs - beganUs) / 1000),
        };
    }

    /// <summary>
    /// Destroys a slot, which is gone at once: answers after <see cref="ContestPlatformOptions.DestroyDelay"/>, a refusal at once.
    /// </summary>
    public async Task<DestroySlotReply> DestroySlotAsync(DestroySlotRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        SlotReply reply;
        lock (Gate)
        {
            reply = State.DestroySlot(NowUs, request.Id);
        }

        if (reply.Status != Status.Ok)
        {
            return new DestroySlotReply { Status = reply.Status, ErrorMessage = reply.Error ?? string.Empty };
        }

        await DelayAsync(_options.DestroyDelay).ConfigureAwait(false);
        return new DestroySlotReply { Status = Status.Ok };
    }

    /// <summary>Ends at <paramref name="dueUs"/> on the platform's clock, never earlier, whatever the timers' resolution.</summary>
    internal async Task DelayUntilAsync(long dueUs, CancellationToken cancellation)
    {
        for (var leftUs = dueUs - NowUs; leftUs > 0; leftUs = dueUs - NowUs)
        {
            // Timers count whole milliseconds, and no more than 49 days of them.
            var ms = Math.Min((leftUs + 999) / 1000, 86_400_000);
            await Task.Delay(TimeSpan.FromMilliseconds(ms), _time, cancellation).ConfigureAwait(false);
        }
    }

    private Task DelayAsync(TimeSpan delay) =>
        DelayUntilAsync(NowUs + (delay.Ticks / TimeSpan.TicksPerMicrosecond), CancellationToken.None);

    private ulong UnixMs() => (ulong)_time.GetUtcNow().ToUnixTimeMilliseconds();
}
