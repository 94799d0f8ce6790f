// Starts `pipeline rules lsp` for rule files.
const { workspace } = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

let client;

exports.activate = () => {
  const settings = workspace.getConfiguration('edrpipe');
  const files = settings.get('files');
  client = new LanguageClient(
    'edrpipe',
    'edrpipe rules',
    { command: settings.get('command'), args: ['rules', 'lsp'] },
    {
      documentSelector: [{ scheme: 'file', language: 'yaml', pattern: files }],
      synchronize: { fileEvents: workspace.createFileSystemWatcher('**/*.{yaml,yml,txt,csv}') },
    },
  );
  return client.start();
};

exports.deactivate = () => client && client.stop();
