using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FuncScaler.Contract;
using FuncScaler.Runtime.Service;
using FuncScaler.ScalerFunctions.Durable;
using FuncScaler.ScalerFunctions.Hosting;
using FuncScaler.ScalerFunctions.Worker;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerFunctions.Http;

/// <summary>Pools as their ledgers know them, for operators.</summary>
public sealed partial class PoolFunctions(
    DurableLedgers ledgers, WorkerReadiness readiness, IOptions<ScalerAppOptions> options, ILogger<PoolFunctions> logger)
{
    /// <summary>The header with the operator's key: to spend money without a request is a right of its own.</summary>
    public const string OperatorHeader = "x-operator-key";

    private readonly ILogger _logger = logger;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = false };

    /// <summary>
    /// Says whether this worker has its lease and has rehearsed, so that cold starts wait for the backend only: open to anybody, it tells nothing else.
    /// </summary>
    [Function("Ready")]
    public IActionResult Ready(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "api/ready")] HttpRequest request, [DurableClient] DurableTaskClient client)
    {
        ledgers.Connect(client);
        if (readiness.IsReady)
        {
            return new ContentResult { StatusCode = StatusCodes.Status200OK, Content = "ok", ContentType = "text/plain" };
        }

        // Whoever waits for readiness may send nothing before it: the lease is asked for now.
        readiness.Begin();
        request.HttpContext.Response.Headers.RetryAfter = "1";
        return HttpAnswer.Error(StatusCodes.Status503ServiceUnavailable, "Unavailable", "this worker is not ready yet: ask again in a second");
    }

    /// <summary>The durable state of a function's pool.</summary>
    [Function("GetPool")]
    public async Task<IActionResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/pools/{metaKey}")] HttpRequest request,
        [DurableClient] DurableTaskClient client)
    {
        ledgers.Connect(client);
        var metaKey = KeyOf(request);
        var ledger = await ledgers.ReadAsync(metaKey, request.HttpContext.RequestAborted);
        return ledger?.Function is null
            ? HttpAnswer.Error(StatusCodes.Status404NotFound, "NotFound", $"there is no pool of function {metaKey}: it was never asked for")
            : HttpAnswer.Json(StatusCodes.Status200OK, JsonSerializer.Serialize(PoolSummary.Of(ledger), Json));
    }

    /// <summary>Sets how many instances are to be there at all times: <c>{"count": 2, "metaData": {"runtime", "timeoutInSecs", "memoryInMb"}}</c>.</summary>
    [Function("SetProvisioned")]
    public async Task<IActionResult> SetProvisionedAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "api/pools/{metaKey}/provisioned")] HttpRequest request,
        [DurableClient] DurableTaskClient client)
    {
        ledgers.Connect(client);
        if (!IsOperator(request))
        {
            return HttpAnswer.Error(
                StatusCodes.Status403Forbidden,
                nameof(StatusCode.PermissionDenied),
                options.Value.OperatorKeySha256.Length == 0
                    ? "nobody may have instances provisioned: set Scaler:OperatorKeySha256 to the hash of a key that 'funcscaler token' makes"
                    : $"to have instances provisioned is the operator's right: send the operator's key in the header {OperatorHeader}");
        }

        var key = KeyOf(request);
        var most = options.Value.MaxProvisioned;
        var aborted = request.HttpContext.RequestAborted;
        ProvisionedBody? body;
        try
        {
            body = JsonSerializer.Deserialize<ProvisionedBody>(await ScalerJsonApi.ReadAsync(request.Body, aborted), Json);
        }
        catch (BadHttpRequestException e)
        {
            return HttpAnswer.Of(ScalerJsonApi.Error(StatusCode.InvalidArgument, e.Message, e.StatusCode));
        }
        catch (Exception e) when (e is JsonException or DecoderFallbackException)
        {
            return Invalid($"the body is no {{\"count\": N, \"metaData\": {{…}}}}: {e.Message}");
        }

        if (body?.Count is not >= 0 || body.Count > most)
        {
            return Invalid($"count is {body?.Count?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "missing"}: give 0 to {most}");
        }

        FunctionMeta? function;
        try
        {
            function = body.MetaData is { } meta
                ? ScalerService.FunctionOf(new Meta { Key = key.Value, Runtime = meta.Runtime ?? "", TimeoutInSecs = meta.TimeoutInSecs, MemoryInMb = meta.MemoryInMb })
                : (await ledgers.ReadAsync(key, aborted))?.Function;
        }
        catch (RpcException e)
        {
            return Invalid(e.Status.Detail);
        }

        if (function is null)
        {
            return Invalid($"function {key} was never asked for: send metaData with its runtime, timeoutInSecs and memoryInMb");
        }

        await ledgers.SetProvisionedAsync(new ProvisionedWish(function, body.Count.Value), aborted);
        LogProvisioned(body.Count.Value, key.Value);
        return HttpAnswer.Json(StatusCodes.Status202Accepted, JsonSerializer.Serialize(new { metaKey = key.Value, provisioned = body.Count }, Json));
    }

    /// <summary>Compares hashes, and in constant time.</summary>
    private bool IsOperator(HttpRequest request) => options.Value.OperatorKeySha256 is { Length: > 0 } sha256
        && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(request.Headers[OperatorHeader].ToString())), Convert.FromHexString(sha256));

    [LoggerMessage(203, LogLevel.Warning, "The operator has {Count} instances of function {Function} provisioned")]
    private partial void LogProvisioned(int count, string function);

    private static MetaKey KeyOf(HttpRequest request) => new(request.RouteValues["metaKey"]?.ToString() ?? "");

    private static ContentResult Invalid(string error) => HttpAnswer.Error(StatusCodes.Status400BadRequest, "InvalidArgument", error);

    private sealed record ProvisionedBody(int? Count, ProvisionedMeta? MetaData);

    private sealed record ProvisionedMeta(string? Runtime, uint TimeoutInSecs, ulong MemoryInMb);
}
