using FuncScaler.Runtime.Service;
using FuncScaler.ScalerFunctions.Worker;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace FuncScaler.ScalerFunctions.Http;

/// <summary>The JSON API as HTTP-triggered functions; each wants a function key.</summary>
public sealed class ScalerHttpFunctions(ScalerJsonApi api, DurableLedgers ledgers)
{
    [Function("Assign")]
    public async Task<IActionResult> AssignAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "api/assign")] HttpRequest request, [DurableClient] DurableTaskClient client)
    {
        ledgers.Connect(client);
        return HttpAnswer.Of(await api.AssignAsync(request));
    }

    [Function("Release")]
    public async Task<IActionResult> ReleaseAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "api/release")] HttpRequest request, [DurableClient] DurableTaskClient client)
    {
        ledgers.Connect(client);
        return HttpAnswer.Of(await api.ReleaseAsync(request));
    }

    /// <summary>This worker's counters and pools; other workers have theirs.</summary>
    [Function("Stats")]
    public IActionResult Stats([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/stats")] HttpRequest request) =>
        HttpAnswer.Of(api.Stats(request));
}
