using FuncScaler.Contract;
using FuncScaler.SlotBackends.Http;
using FuncScaler.UnaryGrpc;
using Google.Protobuf;
using Polly;

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
    private static readonly UnaryMethod<CreateSlotRequest, CreateSlotReply> CreateSlot = new(ScalerContract.CreateSlot);
    private static readonly UnaryMethod<InitRequest, InitReply> Init = new(ScalerContract.Init);
    private static readonly UnaryMethod<DestroySlotRequest, DestroySlotReply> DestroySlot = new(ScalerContract.DestroySlot);

    private readonly IUnaryChannel _channel;
    private readonly SimulatorBackendOptions _options;
    private readonly ResiliencePipeline _whenNotSent;
    private readonly ResiliencePipeline _always;

    /// <param name="channel">The way to the platform; disposed with the backend.</param>
    /// <param name="options">Settings.</param>
    /// <param name="time">The clock of the retries.</param>
    public SimulatorBackend(IUnaryChannel channel, SimulatorBackendOptions options, TimeProvider time)
    {
        _channel = channel;
        _options = options;
        _whenNotSent = MakePipeline(time, static e => e.Failure.Kind == FailureKind.Throttled || (e.PlatformUnreachable && !e.Failure.OutcomeUnknown));
        _always = MakePipeline(time, static e => e.Failure.Kind == FailureKind.Throttled || e.PlatformUnreachable);
    }

    public string Name => "simulator";

    public async Task<BackendSlotId> CreateAsync(SlotTicket ticket, FunctionMeta function, CancellationToken cancellationToken)
    {
        var request = new CreateSlotRequest
        {
            RequestId = NewRequestId(),
            ResourceConfig = new ResourceConfig { MemoryInMegabytes = (ulong)function.MemoryMb },
        };
        var reply = await CallAsync(_whenNotSent, CreateSlot, request, _options.CreateTimeout, r => Check("CreateSlot", r.Status, r.ErrorMessage), cancellationToken)
            .ConfigureAwait(false);
        return string.IsNullOrEmpty(reply.Slot?.Id)
            ? throw new SlotBackendException(new SlotFailure(FailureKind.Transient, "the platform answered CreateSlot without a slot id"))
            : new BackendSlotId(reply.Slot.Id);
    }

    public async Task<Uri?> InitAsync(BackendSlotId slot, InstanceId instance, FunctionMeta function, CancellationToken cancellationToken)
    {
        var mayHaveTakenEffect = false;
        var request = MakeInit(slot, instance, function);
        await CallAsync(
            _always,
            Init,
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
            DestroySlot,
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
                known = status != GrpcStatus.NotFound;
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

    public ValueTask DisposeAsync() => _channel.DisposeAsync();

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

        var text = $"{call} answered {status}{(message.Length > 0 ? ": " + message : "")}";
        throw new SlotBackendException(status switch
        {
            Status.Throttle => new SlotFailure(FailureKind.Throttled, text),
            Status.InvalidArgument => new SlotFailure(FailureKind.Permanent, text),
            _ => new SlotFailure(FailureKind.Transient, text),
        });
    }

    private static SlotBackendException Translate(string call, GrpcException e)
    {
        var text = $"{call} failed: {e.Status}{(e.Detail.Length > 0 ? ": " + e.Detail : "")}";
        return e.Status switch
        {
            GrpcStatus.ResourceExhausted => new(new SlotFailure(FailureKind.Throttled, text), e),
            GrpcStatus.InvalidArgument or GrpcStatus.Unimplemented or GrpcStatus.PermissionDenied or GrpcStatus.Unauthenticated or GrpcStatus.FailedPrecondition
                => new(new SlotFailure(FailureKind.Permanent, text), e),
            GrpcStatus.Unavailable => new(new SlotFailure(FailureKind.Transient, text, OutcomeUnknown: !NeverSent(e)), e) { PlatformUnreachable = true },
            GrpcStatus.DeadlineExceeded or GrpcStatus.Cancelled or GrpcStatus.Internal or GrpcStatus.Unknown
                => new(new SlotFailure(FailureKind.Transient, text, OutcomeUnknown: true), e),
            _ => new(new SlotFailure(FailureKind.Transient, text), e),
        };
    }

    /// <summary>Whether the request surely did not reach the platform: no connection, or the stream was refused before it began.</summary>
    private static bool NeverSent(Exception exception)
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

    private async Task<bool> ExistsAsync(SlotSnapshot slot, CancellationToken cancellationToken)
    {
        if (slot.State is not (SlotState.Idle or SlotState.Busy))
        {
            // Its own call under way will find out; probing an uninitialised slot would initialise it.
            return true;
        }

        try
        {
            var reply = await _channel.CallAsync(
                Init,
                MakeInit(slot.BackendId, slot.Instance, new FunctionMeta(new MetaKey(""), "", 0, slot.MemoryMb)),
                _options.DestroyTimeout,
                cancellationToken).ConfigureAwait(false);
            return reply.Status != Status.NotFound;
        }
        catch (GrpcException e)
        {
            return e.Status switch
            {
                GrpcStatus.NotFound => false,
                GrpcStatus.Unavailable or GrpcStatus.DeadlineExceeded => throw Translate("Init", e),
                _ => true,
            };
        }
    }

    private async Task<TReply> CallAsync<TRequest, TReply>(
        ResiliencePipeline retries,
        UnaryMethod<TRequest, TReply> method,
        TRequest request,
        TimeSpan timeout,
        Action<TReply> check,
        CancellationToken cancellationToken,
        Action<SlotFailure>? onFailure = null,
        Func<GrpcStatus, bool>? onStatus = null)
        where TRequest : class, IMessage<TRequest>, new()
        where TReply : class, IMessage<TReply>, new()
    {
        return await retries.ExecuteAsync(
            async token =>
            {
                try
                {
                    var reply = await _channel.CallAsync(method, request, timeout, token).ConfigureAwait(false);
                    check(reply);
                    return reply;
                }
                catch (GrpcException e)
                {
                    if (onStatus?.Invoke(e.Status) == true)
                    {
                        return new TReply();
                    }

                    var translated = Translate(method.Name, e);
                    onFailure?.Invoke(translated.Failure);
                    throw translated;
                }
            },
            cancellationToken).ConfigureAwait(false);
    }

    private ResiliencePipeline MakePipeline(TimeProvider time, Func<SlotBackendException, bool> retry) =>
        Retries.Make(time, _options.MaxRetries, _options.RetryDelay, _options.Randomizer, retry);
}
