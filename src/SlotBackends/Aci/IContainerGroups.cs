namespace FuncScaler.SlotBackends.Aci;

/// <summary>
/// The few things asked of Azure Resource Manager. Nothing is tried again here, and nothing translated: failures are
/// <see cref="Azure.RequestFailedException"/>, as Azure's packages throw them.
/// </summary>
internal interface IContainerGroups
{
    /// <summary>Asks for a group. Repeating it with the same specification changes nothing.</summary>
    Task<IGroupOperation> PutAsync(ContainerGroupSpec spec, CancellationToken cancellationToken);

    /// <summary>Asks for a group to be deleted; null when there is none of that name.</summary>
    Task<IGroupOperation?> DeleteAsync(AciPlace place, string name, CancellationToken cancellationToken);

    /// <summary>The group; null when there is none of that name.</summary>
    Task<ContainerGroupInfo?> GetAsync(AciPlace place, string name, CancellationToken cancellationToken);

    /// <summary>All groups of a resource group, anybody's; may lag behind what has happened.</summary>
    Task<IReadOnlyList<ContainerGroupInfo>> ListAsync(AciPlace place, CancellationToken cancellationToken);
}

/// <summary>A long-running operation of the platform.</summary>
internal interface IGroupOperation
{
    bool HasCompleted { get; }

    /// <summary>How long the platform asks to wait before the next look; zero when it did not say.</summary>
    TimeSpan RetryAfter { get; }

    /// <summary>Looks how far it is.</summary>
    /// <exception cref="Azure.RequestFailedException">It has failed, or could not be looked at.</exception>
    Task UpdateAsync(CancellationToken cancellationToken);
}

/// <summary>A container group to be created.</summary>
internal sealed record ContainerGroupSpec(
    AciOptions Options,
    AciPlace Place,
    string Name,
    string Image,
    AciSize Size,
    IReadOnlyDictionary<string, string> Environment,
    IReadOnlyDictionary<string, string> Tags);

/// <summary>A container group as Azure knows it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ProvisioningState">For example Creating, Succeeded, Failed, Deleting.</param>
/// <param name="Address">Its IP address; null while it has none.</param>
/// <param name="Tags">Its tags.</param>
/// <param name="Cores">The cores its containers ask for.</param>
internal sealed record ContainerGroupInfo(
    string Name,
    string ProvisioningState,
    string? Address,
    IReadOnlyDictionary<string, string> Tags,
    double Cores)
{
    public bool IsReady => Is("Succeeded");

    public bool HasFailed => Is("Failed") || Is("Canceled");

    public bool IsGoing => Is("Deleting") || HasFailed;

    private bool Is(string state) => string.Equals(ProvisioningState, state, StringComparison.OrdinalIgnoreCase);
}
