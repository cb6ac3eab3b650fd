using FuncScaler.Policies;

namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>What the policies of one run hold outside this program, ended with the run.</summary>
internal sealed class RunResources : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<IDisposable> _resources = [];

    /// <summary>The same policy, on hosts that hand over to this object what the policy holds.</summary>
    public PolicyChoice Owning(PolicyChoice policy) => policy with { Begin = core => policy.Begin(new Host(core, this)) };

    public void Dispose()
    {
        foreach (var resource in _resources)
        {
            resource.Dispose();
        }
    }

    private sealed class Host(IPolicyHost core, RunResources run) : IPolicyHost
    {
        public void RequestReview(MetaKey function) => core.RequestReview(function);

        public void Own(IDisposable resource)
        {
            lock (run._gate)
            {
                run._resources.Add(resource);
            }
        }
    }
}
