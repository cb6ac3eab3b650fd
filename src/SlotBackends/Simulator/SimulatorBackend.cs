using FuncScaler.Contract;
using FuncScaler.SlotBackends.Http;
using Grpc.Core;
using Grpc.Net.Client;
using Polly;
using Status = FuncScaler.Contract.Status;

namespace FuncScaler.SlotBackends.Simulator;

/// <summary>Slots from the contest's platform, over gRPC.</summary>
/// <remarks>
/// What may be repeated follows the contract. DestroySlot may: an unknown slot counts as destroyed. Init may: "already allocated" after a
/// lost answer means that it took effect. CreateSlot may only when the request surely never reached the platform; otherwise the outcome
/// is reported as unknown. The platform has no list, so <see cref="ListAsync"/> asks for a second Init of each instance, which the
/// platform answers with InvalidArgument for a slot that exists and NotFound for one that does not, and changes nothing.
/// </remarks>
public sealed class SimulatorBackend : ISlotBackend
{
    /// <summary>The most characters of a slot's id; it stands in every list and log line about the slot.</summary>
    private const int LongestId = 1024;

    private readonly GrpcChannel _channel;
    private readonly Platform.PlatformClient _platform;
    private readonly SimulatorBackendOptions _options;
    private readonly ResiliencePipeline _whenNotSent;
    private readonly ResiliencePipeline _always;

    /// <param name="channel">The way to the platform, as <see cref="PlatformChannel"/> opens it; disposed with the backend.</param>
    /// <param name="options">Settings.</param>
    /// <param name="time">The clock of the retries.</param>
    public SimulatorBackend(GrpcChannel channel, SimulatorBackendOptions options, TimeProvider time)
    {
        _channel = channel;
        _platform = new Platform.PlatformClient(channel);
        _options = options;
        _whenNotSent = MakePipeline(time, static e => e.Failure.Kind == FailureKind.Throttled || (e.PlatformUnreachable && !e.Failure.OutcomeUnknown));
        _always = MakePipeline(time, static e => e.Failure.Kind == FailureKind.Throttled || e.PlatformUnreachable);
    }

    public string Name => "simulator";

    public async Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken)
    {
        var request = new CreateSlotRequest
        {
            RequestId = _options.Run is { } run ? $"{run}-create-{ticket}" : NewRequestId(),
            ResourceConfig = new ResourceConfig { MemoryInMegabytes = (ulong)function.MemoryMb },
        };
        var reply = await CallAsync(
            _whenNotSent,
            "CreateSlot",
            _platform.CreateSlotAsync,
            request,
            _options.CreateTimeout,
            r => Check("CreateSlot", r.Status, r.ErrorMessage),
            cancellationToken)
            .ConfigureAwait(false);
        return reply.Slot?.Id switch
        {
            null or "" => throw new SlotBackendException(new SlotFailure(FailureKind.Transient, "the platform answered CreateSlot without a slot id")),
            { Length: > LongestId } id => throw new SlotBackendException(new SlotFailure(
                FailureKind.Transient, $"the platform answered CreateSlot with a slot id of {id.Length} characters, and {LongestId} are the most")),
            var id => new BackendSlotId(id),
        };
    }

    public async Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken)
    {
        var mayHaveTakenEffect = false;
        var request = MakeInit(slot, instance, function);
        await CallAsync(
            _always,
            "Init",
            _platform.InitAsync,
            request,
            _options.InitTimeout,
            reply =>
            {
                if (!(mayHaveTakenEffect && reply.Status == Status.InvalidArgument))
                {
                    Check("Init", reply.Status, reply.ErrorMessage);
                }
            },
            cancellationToken,
            onFailure: failure => mayHaveTakenEffect |= failure.OutcomeUnknown).ConfigureAwait(false);
        return null;
    }

    public async Task<bool> DestroyAsync(SlotTicket ticket, BackendSlotId slot, string reason, CancellationToken cancellationToken)
    {
        if (slot == default)
        {
            // The contract offers nothing to find a slot whose id was never told.
            return false;
        }

        var known = true;
        var request = new DestroySlotRequest { RequestId = NewRequestId(), Id = slot.Value, Reason = reason };
        await CallAsync(
            _always,
            "DestroySlot",
            _platform.DestroySlotAsync,
            request,
            _options.DestroyTimeout,
            reply =>
            {
                known = reply.Status != Status.NotFound;
                if (known)
                {
                    Check("DestroySlot", reply.Status, reply.ErrorMessage);
                }
            },
            cancellationToken,
            onStatus: status =>
            {
                known = status != StatusCode.NotFound;
                return !known;
            }).ConfigureAwait(false);
        return known;
    }

    public async Task<IReadOnlyList<ListedSlot>?> ListAsync(IReadOnlyCollection<SlotSnapshot> known, CancellationToken cancellationToken)
    {
        var found = new List<ListedSlot>();
        foreach (var batch in known.Where(s => s.BackendId != default).Chunk(64))
        {
            var exist = await Task.WhenAll(batch.Select(slot => ExistsAsync(slot, cancellationToken))).ConfigureAwait(false);
            found.AddRange(batch.Where((_, i) => exist[i]).Select(slot => new ListedSlot(slot.BackendId, slot.Ticket)));
        }

        return found;
    }

    public ValueTask DisposeAsync()
    {
        _channel.Dispose();
        return ValueTask.CompletedTask;
    }

    private static string NewRequestId() => Guid.NewGuid().ToString("N");

    private static InitRequest MakeInit(BackendSlotId slot, InstanceId instance, FunctionMeta function) => new()
    {
        RequestId = NewRequestId(),
        SlotId = slot.Value,
        InstanceId = instance.Value,
        MetaData = new Meta
        {
            Key = function.Key.Value,
            Runtime = function.Runtime,
            TimeoutInSecs = (uint)function.TimeoutSeconds,
            MemoryInMb = (ulong)function.MemoryMb,
        },
    };

    private static void Check(string call, Status status, string message)
    {
        if (status == Status.Ok)
        {
            return;
        }

        var text = $"{call} answered {status}{Said(message)}";
        throw new SlotBackendException(status switch
        {
            Status.Throttle => new SlotFailure(FailureKind.Throttled, text),
            Status.InvalidArgument => new SlotFailure(FailureKind.Permanent, text),
            _ => new SlotFailure(FailureKind.Transient, text),
        });
    }

    private static SlotBackendException Translate(string call, RpcException e)
    {
        var text = $"{call} failed: {e.StatusCode}{Said(e.Status.Detail)}";
        return e.StatusCode switch
        {
            StatusCode.ResourceExhausted => new(new SlotFailure(FailureKind.Throttled, text), e),
            StatusCode.InvalidArgument or StatusCode.Unimplemented or StatusCode.PermissionDenied or StatusCode.Unauthenticated or StatusCode.FailedPrecondition
                => new(new SlotFailure(FailureKind.Permanent, text), e),
            StatusCode.Unavailable => new(new SlotFailure(FailureKind.Transient, text, OutcomeUnknown: !NeverSent(e.Status.DebugException)), e) { PlatformUnreachable = true },
            StatusCode.DeadlineExceeded or StatusCode.Cancelled or StatusCode.Internal or StatusCode.Unknown
                => new(new SlotFailure(FailureKind.Transient, text, OutcomeUnknown: true), e),
            _ => new(new SlotFailure(FailureKind.Transient, text), e),
        };
    }

    /// <summary>The platform's own words, to be appended to ours.</summary>
    private static string Said(string words) => RemoteWords.Clean(words) is { Length: > 0 } clean ? ": " + clean : "";

    /// <summary>Whether the request surely did not reach the platform: no connection, or the stream was refused before it began.</summary>
    private static bool NeverSent(Exception? exception)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            if (e is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError })
            {
                return true;
            }
        }

        return false;
    }

    private static async Task<TReply> CallAsync<TRequest, TReply>(
        ResiliencePipeline retries,
        string name,
        Func<TRequest, CallOptions, AsyncUnaryCall<TReply>> call,
        TRequest request,
        TimeSpan timeout,
        Action<TReply> check,
        CancellationToken cancellationToken,
        Action<SlotFailure>? onFailure = null,
        Func<StatusCode, bool>? onStatus = null)
        where TReply : new()
    {
        return await retries.ExecuteAsync(
            async token =>
            {
                try
                {
                    var reply = await call(request, Options(timeout, token)).ConfigureAwait(false);
                    check(reply);
                    return reply;
                }
                catch (RpcException e) when (IsOfCaller(e, token))
                {
                    throw new OperationCanceledException($"{name} was given up.", e, token);
                }
                catch (RpcException e)
                {
                    if (onStatus?.Invoke(e.StatusCode) == true)
                    {
                        return new TReply();
                    }

                    var translated = Translate(name, e);
                    onFailure?.Invoke(translated.Failure);
                    throw translated;
                }
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>gRPC counts deadlines on the system's clock.</summary>
    private static CallOptions Options(TimeSpan timeout, CancellationToken cancellationToken) =>
        new(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + timeout, cancellationToken: cancellationToken);

    /// <summary>Whether the call ended because its caller wanted no more of it.</summary>
    private static bool IsOfCaller(RpcException e, CancellationToken cancellationToken) =>
        e.StatusCode == StatusCode.Cancelled && cancellationToken.IsCancellationRequested;

    private async Task<bool> ExistsAsync(SlotSnapshot slot, CancellationToken cancellationToken)
    {
        if (slot.State is not (SlotState.Idle or SlotState.Busy))
        {
            // Its own call under way will find out; probing an uninitialised slot would initialise it.
            return true;
        }

        try
        {
            var request = MakeInit(slot.BackendId, slot.Instance, new FunctionMeta(new MetaKey(""), "", 0, slot.MemoryMb));
            var reply = await _platform.InitAsync(request, Options(_options.DestroyTimeout, cancellationToken)).ConfigureAwait(false);
            return reply.Status != Status.NotFound;
        }
        catch (RpcException e) when (IsOfCaller(e, cancellationToken))
        {
            throw new OperationCanceledException("The list was given up.", e, cancellationToken);
        }
        catch (RpcException e)
        {
            return e.StatusCode switch
            {
                StatusCode.NotFound => false,
                StatusCode.Unavailable or StatusCode.DeadlineExceeded => throw Translate("Init", e),
                _ => true,
            };
        }
    }

    private ResiliencePipeline MakePipeline(TimeProvider time, Func<SlotBackendException, bool> retry) =>
        Retries.Make(time, _options.MaxRetries, _options.RetryDelay, _options.Randomizer, retry);
}
