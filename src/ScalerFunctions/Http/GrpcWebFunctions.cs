using FuncScaler.Runtime.Service;
using FuncScaler.ScalerFunctions.Worker;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Azure.Functions.Worker;
using Microsoft.DurableTask.Client;

namespace FuncScaler.ScalerFunctions.Http;

/// <summary>
/// The contract as gRPC-Web on the contract's own paths: on every plan, because the status travels in the body. Wants a function key, in
/// the header <c>x-functions-key</c>.
/// </summary>
public sealed class GrpcWebFunctions(ScalerGrpcWeb web, DurableLedgers ledgers)
{
    [Function("GrpcWeb")]
    public async Task<IActionResult> CallAsync(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "serverless.simulator.Scaler/{method}")] HttpRequest request,
        [DurableClient] DurableTaskClient client)
    {
        ledgers.Connect(client);
        await web.ServeAsync(request.HttpContext);
        return new EmptyResult();
    }
}
