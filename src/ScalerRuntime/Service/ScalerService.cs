using System.Globalization;
using FuncScaler.Contract;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Status = FuncScaler.Contract.Status;

namespace FuncScaler.Runtime.Service;

/// <summary>
/// The contract's Scaler service on an <see cref="IScaler"/>: checks what comes in and says what is wrong with it. Every host serves
/// this class, whichever way requests reach it.
/// </summary>
/// <param name="scaler">What gives instances out.</param>
/// <param name="time">The clock; the system's where it is left out.</param>
[BindServiceMethod(typeof(CheckedMessages), nameof(CheckedMessages.BindScaler))]
public sealed class ScalerService(IScaler scaler, TimeProvider? time = null) : Contract.Scaler.ScalerBase
{
    /// <summary>The most memory a slot can be asked for, MB (1 TB).</summary>
    public const ulong LargestMemoryMb = 1 << 20;

    /// <summary>The longest key, runtime, request or instance id, in characters. Keys are kept for as long as their function is.</summary>
    public const int LongestName = 512;

    /// <summary>
    /// The metadata of an Assign reply that tells where the instance is reached; absent where the platform has no addresses. The contract's
    /// messages stay as they are.
    /// </summary>
    public const string AddressMetadata = "x-instance-address";

    /// <summary>Beside <see cref="AddressMetadata"/>, how the request came by the instance: warm, waited or cold.</summary>
    public const string StartMetadata = "x-instance-start";

    /// <summary>
    /// The metadata, or HTTP header, of an Assign by which a caller says how many requests an instance of the function serves at a time. Limits that
    /// the operator has set count more.
    /// </summary>
    public const string ConcurrencyMetadata = "x-max-concurrency";

    private readonly SaidConcurrency _said = new(time ?? TimeProvider.System);

    /// <summary>How a request came by its instance, as callers are told.</summary>
    public static string StartName(GrantKind kind) => kind switch
    {
        GrantKind.Warm => "warm",
        GrantKind.Waited => "waited",
        _ => "cold",
    };

    public override async Task<AssignReply> Assign(AssignRequest request, ServerCallContext context)
    {
        CallerScope.Check(context.GetHttpContext(), request.MetaData?.Key);
        var concurrency = ConcurrencyOf(context.RequestHeaders.GetValue(ConcurrencyMetadata));
        var (reply, instance) = await AssignInstanceAsync(request, TimeRemaining(context), context.CancellationToken, concurrency).ConfigureAwait(false);
        TakeBackIfUndelivered(context.GetHttpContext(), reply.Assigment);
        if (instance.Address is { } address)
        {
            // Sent before the reply, on their own: only platforms with addresses pay for it.
            await context.WriteResponseHeadersAsync(new Metadata
            {
                { AddressMetadata, address.AbsoluteUri },
                { StartMetadata, StartName(instance.Kind) },
            }).ConfigureAwait(false);
        }

        return reply;
    }

    /// <inheritdoc cref="Granting.TakeBackIfUndelivered"/>
    internal void TakeBackIfUndelivered(HttpContext http, Assignment assignment) =>
        scaler.TakeBackIfUndelivered(http, new MetaKey(assignment.MetaKey), new RequestId(assignment.RequestId));

    public override Task<IdleReply> Idle(IdleRequest request, ServerCallContext context)
    {
        CallerScope.Check(context.GetHttpContext(), request.Assigment?.MetaKey);
        return Task.FromResult(Idle(request));
    }

    /// <summary>Gives a request an instance.</summary>
    /// <param name="request">The contract's request.</param>
    /// <param name="timeout">How long the caller is ready to wait; null when it did not say.</param>
    /// <param name="cancellationToken">The caller has gone away.</param>
    /// <exception cref="RpcException">No instance, and why.</exception>
    public async ValueTask<AssignReply> AssignAsync(AssignRequest request, TimeSpan? timeout, CancellationToken cancellationToken) =>
        (await AssignInstanceAsync(request, timeout, cancellationToken).ConfigureAwait(false)).Reply;

    /// <inheritdoc cref="AssignAsync"/>
    /// <param name="request">The contract's request.</param>
    /// <param name="timeout">How long the caller is ready to wait; null when it did not say.</param>
    /// <param name="cancellationToken">The caller has gone away.</param>
    /// <param name="concurrency">How many requests an instance serves at a time, as the caller says.</param>
    /// <returns>The contract's reply, and what it does not tell of the instance.</returns>
    public async ValueTask<(AssignReply Reply, AssignedInstance Instance)> AssignInstanceAsync(
        AssignRequest request, TimeSpan? timeout, CancellationToken cancellationToken, int concurrency = 1)
    {
        CheckName("request_id", request.RequestId, "give each request an id of its own");
        var function = FunctionOf(request.MetaData);
        if (_said.Agree(function.Key, concurrency) is > 1 and var agreed)
        {
            function = function with { MaxConcurrency = agreed };
        }

        var assigned = await scaler.GrantAsync(function, new RequestId(request.RequestId), timeout, "instance", cancellationToken).ConfigureAwait(false);
        var reply = new AssignReply
        {
            Status = Status.Ok,
            Assigment = new Assignment { RequestId = request.RequestId, MetaKey = function.Key.Value, InstanceId = assigned.Instance.Value },
        };
        return (reply, assigned);
    }

    /// <summary>The function that a caller describes.</summary>
    /// <exception cref="RpcException">Something of it is missing, or none that the scaler would keep.</exception>
    public static FunctionMeta FunctionOf(Meta? meta)
    {
        meta = meta ?? throw Invalid("meta_data is missing: send the function's key, runtime, timeout and memory");
        CheckName("meta_data.key", meta.Key, "it names the function");
        CheckText("meta_data.runtime", meta.Runtime);
        if (meta.MemoryInMb is 0 or > LargestMemoryMb)
        {
            throw Invalid($"meta_data.memory_in_mb is {meta.MemoryInMb}: give the memory of an instance, from 1 to {LargestMemoryMb} MB");
        }

        if (meta.TimeoutInSecs > 31_536_000)
        {
            throw Invalid($"meta_data.timeout_in_secs is {meta.TimeoutInSecs}: give at most a year (31536000), or 0 for none");
        }

        return new FunctionMeta(new MetaKey(meta.Key), meta.Runtime, (int)meta.TimeoutInSecs, (int)meta.MemoryInMb);
    }

    /// <summary>Takes an instance back.</summary>
    /// <exception cref="RpcException">There is no such assignment.</exception>
    public IdleReply Idle(IdleRequest request)
    {
        var assignment = request.Assigment ?? throw Invalid("assigment is missing: send back what Assign answered");
        if (assignment.RequestId.Length == 0 || assignment.MetaKey.Length == 0 || assignment.InstanceId.Length == 0)
        {
            throw Invalid("assigment needs request_id, meta_key and instance_id: send back what Assign answered");
        }

        CheckText("assigment.request_id", assignment.RequestId);
        CheckText("assigment.meta_key", assignment.MetaKey);
        CheckText("assigment.instance_id", assignment.InstanceId);
        var result = new ReleaseResult(
            (long)Math.Min(request.Result?.DurationInMs ?? 0, 31_536_000_000UL) * 1000,
            request.Result?.NeedDestroy ?? false);
        var outcome = scaler.Release(
            new MetaKey(assignment.MetaKey),
            new RequestId(assignment.RequestId),
            new InstanceId(assignment.InstanceId),
            result);
        return outcome switch
        {
            ReleaseOutcome.Released or ReleaseOutcome.Forwarded => new IdleReply { Status = Status.Ok },
            ReleaseOutcome.InstanceMismatch => throw Error(
                StatusCode.InvalidArgument,
                $"request {assignment.RequestId} of function {assignment.MetaKey} holds another instance than {assignment.InstanceId}; nothing was changed"),
            _ => throw Error(
                StatusCode.NotFound,
                $"request {assignment.RequestId} of function {assignment.MetaKey} holds no instance: never assigned, released before, or expired; nothing was changed"),
        };
    }

    /// <summary>How many requests an instance serves at a time, as a caller says; 1 where it does not.</summary>
    /// <exception cref="RpcException">It is no number from 1 to 1000.</exception>
    internal static int ConcurrencyOf(string? text) =>
        string.IsNullOrEmpty(text) ? 1
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && FunctionMeta.WhyNoConcurrency(number) is null ? number
        : throw Invalid($"{ConcurrencyMetadata} is no whole number from 1 to {FunctionMeta.MostConcurrency}: leave it out for one request at a time");

    /// <summary>How long the caller goes on waiting; null when it did not say. gRPC counts deadlines on the system's clock.</summary>
    internal static TimeSpan? TimeRemaining(ServerCallContext context) =>
        context.Deadline == DateTime.MaxValue ? null
        : context.Deadline - TimeProvider.System.GetUtcNow().UtcDateTime is var left && left > TimeSpan.Zero ? left
        : TimeSpan.Zero;

    /// <exception cref="RpcException">A name is empty, or is none that the scaler would keep.</exception>
    internal static void CheckName(string field, string value, string hint)
    {
        if (value.Length == 0)
        {
            throw Invalid($"{field} is empty: {hint}");
        }

        CheckText(field, value);
    }

    /// <summary>
    /// Names stand in logs, in memory and on terminals: they are short and printable. U+FFFD is what invalid UTF-8 is read as, and would make
    /// one name of two.
    /// </summary>
    internal static void CheckText(string field, string value)
    {
        if (value.Length > LongestName)
        {
            throw Invalid($"{field} has {value.Length} characters: use at most {LongestName}");
        }

        foreach (var c in value)
        {
            if (char.IsControl(c) || c == '\uFFFD')
            {
                throw Invalid(c == '\uFFFD' ? $"{field} is no valid UTF-8" : $"{field} has a control character (U+{(int)c:X4}): leave it out");
            }
        }
    }

    private static RpcException Invalid(string detail) => Error(StatusCode.InvalidArgument, detail);

    private static RpcException Error(StatusCode code, string detail) => new(new Grpc.Core.Status(code, detail));
}
