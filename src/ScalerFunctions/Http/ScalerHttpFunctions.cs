using FuncScaler.SlotBackends.Runtime;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;

namespace FuncScaler.ScalerFunctions;

/// <summary>The JSON API as HTTP-triggered functions; each wants a function key.</summary>
public sealed class ScalerHttpFunctions(ScalerJsonApi api)
{
    [Function("Assign")]
    public async Task<IActionResult> AssignAsync([HttpTrigger(AuthorizationLevel.Function, "post", Route = "api/assign")] HttpRequest request) =>
        Send(await api.AssignAsync(request.Body, request.HttpContext.RequestAborted));

    [Function("Release")]
    public async Task<IActionResult> ReleaseAsync([HttpTrigger(AuthorizationLevel.Function, "post", Route = "api/release")] HttpRequest request) =>
        Send(await api.ReleaseAsync(request.Body, request.HttpContext.RequestAborted));

    [Function("Stats")]
    public IActionResult Stats([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/stats")] HttpRequest request) => Send(api.Stats());

    private static ContentResult Send(JsonAnswer answer) => new()
    {
        StatusCode = answer.StatusCode,
        Content = answer.Json,
        ContentType = "application/json",
    };
}
