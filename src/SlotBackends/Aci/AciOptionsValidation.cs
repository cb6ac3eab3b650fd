using System.Text.RegularExpressions;
using FuncScaler.SlotBackends.Http;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>Finds what is wrong with <see cref="AciOptions"/> before Azure is asked.</summary>
public static partial class AciOptionsValidation
{
    /// <summary>A sentence for each thing that is wrong, naming the setting as it is written in JSON; empty when all is well.</summary>
    public static IReadOnlyList<string> Check(AciOptions options)
    {
        var errors = new List<string>();
        Require(Guid.TryParse(options.Subscription, out _), $"subscription '{options.Subscription}' is no subscription id: write the GUID that 'az account show' prints as id.");
        Require(OwnerName().IsMatch(options.Owner), $"owner '{options.Owner}' cannot begin a container group's name: use 1 to 30 of a-z, 0-9 and single hyphens, beginning with a letter and not ending in a hyphen.");
        Require(options.Run is null || (options.Run.Length is > 0 and <= 8 && options.Run.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c))), $"run '{options.Run}' cannot stand in a container group's name: use 1 to 8 of a-z and 0-9, or leave it out.");
        Require(options.Places.Count > 0, "places is empty: name at least one, as {\"resourceGroup\": \"my-slots\", \"region\": \"westeurope\"}.");
        foreach (var place in options.Places)
        {
            Require(place.ResourceGroup is { Length: > 0 and <= 90 } && ResourceGroupName().IsMatch(place.ResourceGroup), $"places: resourceGroup '{place.ResourceGroup}' is no resource group's name.");
            Require(RegionName().IsMatch(place.Region ?? ""), $"places: region '{place.Region}' is no region's name: write it as Azure does, for example westeurope.");
        }

        Require(options.Places.Distinct().Count() == options.Places.Count, "places names the same resource group and region twice.");
        Require(options.Images.Count > 0 || HasStandbyPool(options), "images is empty: name an image for each runtime, or one for '*', every other one.");
        foreach (var (runtime, image) in options.Images)
        {
            Require(!string.IsNullOrWhiteSpace(image), $"images: runtime '{runtime}' has no image.");
        }

        Require(options.Port is > 0 and <= 65535, $"port is {options.Port}: give a number from 1 to 65535.");
        Require(options.CpuPerGb is > 0 and <= 16, $"cpuPerGb is {options.CpuPerGb}: give cores per GB of memory, more than 0 and at most 16.");
        Require(options.MaxCores is >= 0.1 and <= 64, $"maxCores is {options.MaxCores}: give at least 0.1 and at most 64.");
        Require(options.MaxMemoryGb is >= 0.1 and <= 512, $"maxMemoryGb is {options.MaxMemoryGb}: give at least 0.1 and at most 512.");
        Require(options.MaxGroupsPerRegion > 0, $"maxGroupsPerRegion is {options.MaxGroupsPerRegion}: give at least 1.");
        Require(options.MaxCoresPerRegion >= 1, $"maxCoresPerRegion is {options.MaxCoresPerRegion}: give at least 1.");
        foreach (var limit in options.CreateLimits.Concat(options.DeleteLimits))
        {
            Require(limit.Calls > 0 && limit.Per > TimeSpan.Zero, $"a limit of {limit.Calls} calls per {limit.Per} lets nothing through: give at least 1 call in more than no time.");
        }

        RequireId(options.SubnetId, "subnetId");
        RequireId(options.RegistryIdentityId, "registryIdentityId");
        RequireId(options.StandbyPoolId, "standbyPoolId");
        RequireId(options.ContainerGroupProfileId, "containerGroupProfileId");
        foreach (var id in options.IdentityIds)
        {
            RequireId(id, "identityIds");
        }

        Require(options.RegistryServer.Length > 0 == options.RegistryIdentityId.Length > 0, "registryServer and registryIdentityId go together: give both or neither.");
        Require(options.LogWorkspaceId.Length > 0 == options.LogWorkspaceKey.Length > 0, "logWorkspaceId and logWorkspaceKey go together: give both or neither.");
        Require(!options.Spot || (options.Start is { Init: InitMode.None, HealthPath: "" } && options.SubnetId.Length == 0), "spot: Azure gives Spot groups no inbound connectivity; leave start.healthPath and subnetId out, and start.init as 'none'.");
        Require(options.StandbyPoolId.Length > 0 == options.ContainerGroupProfileId.Length > 0, "standbyPoolId and containerGroupProfileId go together: give both or neither.");
        Require(options.Tags.Keys.All(k => !k.StartsWith(AciTags.Prefix, StringComparison.OrdinalIgnoreCase)), $"tags: names that begin with '{AciTags.Prefix}' are the scaler's own.");
        Require(options.Tags.All(t => t.Key.Length is > 0 and <= 512 && t.Key.IndexOfAny(['<', '>', '%', '&', '\\', '?', '/']) < 0 && t.Value.Length <= 256), "tags: a name has 1 to 512 characters without < > % & \\ ? /, a value at most 256.");
        Require(options.ArmEndpoint is not { } arm || arm.Scheme == "https" || (arm.Scheme == "http" && arm.IsLoopback), $"armEndpoint {options.ArmEndpoint} must be https; plain http is for a stand-in on this machine.");
        Require(options.SweepInterval > TimeSpan.Zero && options.OrphanGrace >= TimeSpan.Zero, "sweepInterval must be more than 0, orphanGrace 0 or more.");
        Require(options.PollDelay > TimeSpan.Zero && options.ProvisionTimeout > TimeSpan.Zero && options.DeleteTimeout > TimeSpan.Zero, "pollDelay, provisionTimeout and deleteTimeout must be more than 0.");
        return errors;

        void Require(bool condition, string error)
        {
            if (!condition)
            {
                errors.Add(error);
            }
        }

        void RequireId(string id, string setting) => Require(
            id.Length == 0 || id.StartsWith("/subscriptions/", StringComparison.OrdinalIgnoreCase),
            $"{setting} '{id}' is no resource id: write it in full, from /subscriptions/ on.");
    }

    internal static bool HasStandbyPool(AciOptions options) => options.StandbyPoolId.Length > 0;

    [GeneratedRegex("^(?=.{1,30}$)[a-z]([a-z0-9]|-(?=[a-z0-9]))*$")]
    private static partial Regex OwnerName();

    [GeneratedRegex(@"^[\w\-.()]*[\w\-()]$")]
    private static partial Regex ResourceGroupName();

    [GeneratedRegex("^[a-z0-9]+$")]
    private static partial Regex RegionName();
}
