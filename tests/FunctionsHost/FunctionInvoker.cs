using FuncScaler.FunctionsHost.Protocol;
using FuncScaler.FunctionsHost.Workers;

namespace FuncScaler.FunctionsHost;

/// <summary>Gives a function what it binds to, and runs it in a worker.</summary>
internal sealed class FunctionInvoker(WorkerPool workers)
{
    private readonly TaskCompletionSource<string> _client = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Takes what a durable client's binding holds: JSON that says where the Durable extension's endpoint is. Invocations wait for it.</summary>
    public void Connect(string client) => _client.TrySetResult(client);

    public async Task<TypedData?> InvokeAsync(AppFunction function, TypedData trigger, CancellationToken cancellationToken)
    {
        var worker = await workers.NextAsync(cancellationToken);
        return await InvokeAsync(worker, Guid.NewGuid().ToString(), function, trigger, cancellationToken);
    }

    public async Task<TypedData?> InvokeAsync(
        Worker worker, string invocation, AppFunction function, TypedData trigger, CancellationToken cancellationToken)
    {
        var client = await _client.Task.WaitAsync(cancellationToken);
        var inputs = function.DurableClients.Select(c => new ParameterBinding { Name = c, Data = new TypedData { String = client } })
            .Prepend(new ParameterBinding { Name = function.TriggerName, Data = trigger });
        return await worker.InvokeAsync(invocation, function.Name, inputs, cancellationToken);
    }
}
