using FuncScaler.ScalerHost.Commands;

return await CommandLine.RunAsync(args, Console.Error).ConfigureAwait(false);
