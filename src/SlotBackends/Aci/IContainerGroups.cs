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
/// <param name="Ended">How what runs in it has ended for good; null while it runs, and where Azure does not say, as in lists.</param>
internal sealed record ContainerGroupInfo(
    string Name,
    string ProvisioningState,
    string? Address,
    IReadOnlyDictionary<string, string> Tags,
    double Cores,
    string? Ended = null)
{
    public bool IsReady => Is("Succeeded");

    public bool HasFailed => Is("Failed") || Is("Canceled");

    public bool IsGoing => Is("Deleting") || HasFailed;

    /// <summary>How a group's containers have ended for good; null when they have not. Its provisioning stays Succeeded all the same.</summary>
    /// <param name="restartPolicy">Always, OnFailure or Never; Azure takes a missing one for Always.</param>
    /// <param name="groupState">The instance view's state of the group, for example Running or Stopped; null where there is none.</param>
    /// <param name="containers">The instance view's current state of each container, its exit code and the reason.</param>
    public static string? EndOf(string? restartPolicy, string? groupState, IEnumerable<(string? State, int? ExitCode, string? Reason)> containers)
    {
        if (Same(groupState, "Stopped"))
        {
            return "it was stopped";
        }

        foreach (var (state, exitCode, reason) in containers)
        {
            if (Same(state, "Terminated") && (Same(restartPolicy, "Never") || (Same(restartPolicy, "OnFailure") && exitCode == 0)))
            {
                var code = exitCode is { } known ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $" with exit code {known}") : "";
                var why = string.IsNullOrEmpty(reason) || Same(reason, "Completed") || Same(reason, "Error") ? "" : $" ({RemoteWords.Clean(reason)})";
                return $"its container ended{code}{why}";
            }
        }

        return Same(restartPolicy, "Never") && (Same(groupState, "Succeeded") || Same(groupState, "Failed") || Same(groupState, "Terminated"))
            ? $"its containers are {groupState}"
            : null;
    }

    private static bool Same(string? one, string other) => string.Equals(one, other, StringComparison.OrdinalIgnoreCase);

    private bool Is(string state) => string.Equals(ProvisioningState, state, StringComparison.OrdinalIgnoreCase);
}
