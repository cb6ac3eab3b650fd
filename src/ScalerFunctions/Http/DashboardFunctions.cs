using FuncScaler.Runtime.Dashboard;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;

namespace FuncScaler.ScalerFunctions.Http;

/// <summary>
/// The dashboard of this worker; other workers have theirs. A browser opens <c>/dashboard?code=KEY</c>, and the page sends the key along. It
/// asks every other second instead of keeping an invocation open.
/// </summary>
public sealed class DashboardFunctions(DashboardApi api, DashboardPage page)
{
    [Function("Dashboard")]
    public async Task<IActionResult> PageAsync([HttpTrigger(AuthorizationLevel.Function, "get", Route = "dashboard")] HttpRequest request)
    {
        await page.SendAsync(request.HttpContext);
        return new EmptyResult();
    }

    [Function("DashboardSnapshot")]
    public IActionResult Snapshot([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/dashboard")] HttpRequest request) =>
        HttpAnswer.Of(api.Snapshot(request));

    [Function("DashboardFunctions")]
    public IActionResult Functions([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/dashboard/functions")] HttpRequest request) =>
        HttpAnswer.Of(api.Functions(request));

    [Function("DashboardExplain")]
    public IActionResult Explain([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/dashboard/explain")] HttpRequest request) =>
        HttpAnswer.Of(api.Explain(request));
}
