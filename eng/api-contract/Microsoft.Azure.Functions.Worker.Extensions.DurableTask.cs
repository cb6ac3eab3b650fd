using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;

namespace Microsoft.Azure.Functions.Worker;

[AttributeUsage(AttributeTargets.Parameter)]
public sealed class EntityTriggerAttribute : TriggerBindingAttribute;

[AttributeUsage(AttributeTargets.Parameter)]
public sealed class OrchestrationTriggerAttribute : TriggerBindingAttribute;

[AttributeUsage(AttributeTargets.Parameter)]
public sealed class ActivityTriggerAttribute : TriggerBindingAttribute;

public sealed class DurableClientAttribute : InputBindingAttribute;

public sealed class TaskEntityDispatcher
{
    internal TaskEntityDispatcher() => throw null!;

    public Task DispatchAsync<T>() => throw null!;
}
