namespace FuncScaler.SlotBackends.Aci;

/// <summary>An operation whose handle was lost: the group's own state tells how far it is.</summary>
internal sealed class StateOperation(IContainerGroups groups, AciPlace place, string name, bool deletes) : IGroupOperation
{
    public bool HasCompleted { get; private set; }

    public TimeSpan RetryAfter => TimeSpan.Zero;

    public async Task UpdateAsync(CancellationToken cancellationToken)
    {
        var group = await groups.GetAsync(place, name, cancellationToken).ConfigureAwait(false);
        HasCompleted = group is null || (!deletes && (group.IsReady || group.IsGoing));
        if (HasCompleted && !deletes && group?.IsReady != true)
        {
            throw new SlotBackendException(new SlotFailure(
                FailureKind.Transient, $"container group {name} is {group?.ProvisioningState ?? "gone"}", OutcomeUnknown: true));
        }
    }
}
