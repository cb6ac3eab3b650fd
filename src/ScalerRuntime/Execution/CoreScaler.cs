using System.Diagnostics.CodeAnalysis;
using FuncScaler.Policies;
using FuncScaler.Runtime.Dashboard;

namespace FuncScaler.Runtime.Execution;

/// <summary>What callers and operators ask of a core that an executor runs, whatever keeps the core in step with the world.</summary>
public abstract class CoreScaler : IScaler, IDashboardSource
{
    private protected abstract CoreExecutor Executor { get; }

    private protected abstract CoreReports Reports { get; }

    /// <inheritdoc />
    public ValueTask<AssignedInstance> AssignAsync(FunctionMeta function, RequestId request, TimeSpan? timeout, CancellationToken cancellationToken) =>
        Executor.AssignAsync(function, request, timeout, cancellationToken);

    /// <inheritdoc />
    public ReleaseOutcome Release(MetaKey function, RequestId request, InstanceId instance, in ReleaseResult result) =>
        Executor.Release(function, request, instance, result);

    /// <inheritdoc />
    public void Abandon(MetaKey function, RequestId request) => Executor.Abandon(function, request);

    /// <inheritdoc />
    public IReadOnlyList<(MetaKey Function, SlotSnapshot Slot)> GetInventory() => Reports.GetInventory();

    /// <inheritdoc />
    public bool TryExplain(MetaKey function, [NotNullWhen(true)] out PolicyExplanation? explanation, [NotNullWhen(false)] out string? whyNot) =>
        Reports.TryExplain(function, out explanation, out whyNot);

    /// <inheritdoc />
    public ScalerStats GetStats(StatsPage page = default) => Reports.GetStats(page);

    string IDashboardSource.PolicyName => Reports.PolicyName;

    bool IDashboardSource.MeasuresScheduling
    {
        get => Executor.Times.On;
        set => Executor.Times.On = value;
    }

    DashboardTotals IDashboardSource.Read(FunctionReader function) => Reports.ReadDashboard(function);
}
